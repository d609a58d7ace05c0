"""How much of what was planted each checkpoint of a run gives back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pyfastlm.lm.loading import LM, load
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import step_of
from pyfastlm.memorization.injection.result import Continued
from pyfastlm.memorization.metric.lengths import LengthRow, VerbatimLengths
from pyfastlm.memorization.metric.measuring import HORIZON, PREFIX_LENGTHS, verbatim_lengths


class Measured(NamedTuple):
    """One sequence at one checkpoint: ``step`` of the run (0 before it), ``repetitions`` up to there."""

    sequence: str
    transform: str
    step: int
    repetitions: int
    lengths: VerbatimLengths

    def rows(self) -> list[LengthRow]:
        """One for each prompt."""
        return self.lengths.rows(
            self.sequence,
            transform=self.transform,
            checkpoint=f"step {self.step}",
            step=self.step,
            repetitions=self.repetitions,
        )


class Level(NamedTuple):
    """All sequences with the same number of repetitions in the whole run, at one checkpoint.

    ``longest`` is the mean over sequences of the longest continuation, in tokens; ``mean`` that over all
    prompts; ``long`` the share of prompts with at least 16 tokens among those with room for them (NaN where
    there is none), ``at_limit`` the share that could not have given more.
    """

    step: int
    transform: str
    repetitions: int
    sequences: int
    longest: float
    mean: float
    long: float
    at_limit: float


def measure(
    found: Continued,
    base: LM,
    *,
    prefix_lengths: Sequence[int] = PREFIX_LENGTHS,
    horizon: int = HORIZON,
    progress: bool = False,
) -> list[Measured]:
    """Measure the planted sequences, as they were planted, before the run and at all checkpoints it kept.

    The prompts are the same for all: every start and prefix length of each sequence.

    Args:
        found: of the run.
        base: what it began with.
        prefix_lengths: of prompts; those that leave no token of a sequence are left out.
        horizon: the most tokens that are counted.
        progress: a bar on standard error.
    """
    tokens = [one.tokens for one in found.planted]
    measured = []
    for step, lm in watched(_models(found, base), 1 + len(found.checkpoints), "measuring", progress):
        lengths = verbatim_lengths(lm, tokens, prefix_lengths, horizon)
        for one, own in zip(found.planted, lengths, strict=True):
            count = int(np.searchsorted(one.steps, step))
            measured.append(Measured(one.sequence, one.transform, step, count, own))
    return measured


def _models(found: Continued, base: LM) -> Iterator[tuple[int, LM]]:
    """With how many steps each has done."""
    yield 0, base
    for path in found.checkpoints:
        if step_of(path) != found.steps:
            yield step_of(path), load(path, dtype=base.model.dtype)
    yield found.steps, found.lm


def levels(found: Continued, measured: Sequence[Measured]) -> list[Level]:
    """Means over the sequences of each checkpoint, transform and number of repetitions."""
    planned = {one.sequence: one.repetitions for one in found.planted}
    grouped: defaultdict[tuple[int, str, int], list[VerbatimLengths]] = defaultdict(list)
    for one in measured:
        grouped[one.step, one.transform, planned[one.sequence]].append(one.lengths)
    made = []
    for (step, transform, repetitions), own in sorted(grouped.items()):
        counted = [lengths.lengths[(lengths.lengths >= 0) & ~lengths.copied] for lengths in own]
        made.append(
            Level(
                step,
                transform,
                repetitions,
                len(own),
                float(np.mean([lengths.longest for lengths in own])),
                float(np.concatenate(counted).mean()) if sum(map(len, counted)) else 0.0,
                float(np.mean([lengths.share(16) for lengths in own])),
                float(np.mean([lengths.at_limit for lengths in own])),
            )
        )
    return made
