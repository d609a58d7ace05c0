"""How much of what was planted each checkpoint of a run gives back."""

from collections import defaultdict
from collections.abc import Sequence
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
    kept = [(step_of(path), path) for path in found.checkpoints if step_of(path) != found.steps]
    models: list[LM | None] = [base, *(None for _ in kept), found.lm]
    steps = [0, *(step for step, _ in kept), found.steps]
    paths = [None, *(path for _, path in kept), None]
    measured = []
    for step, lm, path in watched(
        list(zip(steps, models, paths, strict=True)), len(steps), "measuring", progress
    ):
        model = lm if path is None else load(path)
        assert model is not None
        tokens = [one.tokens for one in found.planted]
        for one, lengths in zip(
            found.planted, verbatim_lengths(model, tokens, prefix_lengths, horizon), strict=True
        ):
            count = int(np.searchsorted(one.steps, step))
            measured.append(Measured(one.sequence, one.transform, step, count, lengths))
    return measured


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
