"""Pairs of two answers between which a judge decides: by the target itself, or by others."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike
from pyfastlm.lm.progress import watched
from pyfastlm.lm.sampling import Sampling
from pyfastlm.preference.asking.completion import Completion
from pyfastlm.preference.asking.sampled import sample_answers
from pyfastlm.preference.builders.outcome import Built, Outcome, Reason
from pyfastlm.preference.builders.rows import TwoAnswers, two_answers_of
from pyfastlm.preference.pairs import PreferencePair

BATCH = 32  # rows that a judge sees at once


class Judge(Protocol):
    """Anything that says, for each of a batch of rows, how likely the first answer is the better one."""

    def __call__(self, rows: list[TwoAnswers], /) -> Sequence[float]:
        """Probabilities in [0, 1] that ``first`` is better than ``second``."""
        ...


@dataclass(frozen=True)
class Judged(Built):
    """What a judge made of its rows.

    Attributes:
        preference: of each row, the probability that the first answer is better, the mean over both orders
            of showing them; NaN where it was not asked.
        bias: of each row, how much more likely an answer is to win when it is shown first, in [-1, 1]; NaN
            where it was not asked.
    """

    preference: tuple[float, ...]
    bias: tuple[float, ...]

    @property
    def position_bias(self) -> float:
        """Mean of :attr:`bias` over what was asked; NaN where nothing was."""
        asked = [value for value in self.bias if not math.isnan(value)]
        return sum(asked) / len(asked) if asked else math.nan


def judged_pairs(rows: Iterable[Any], judge: Judge, *, least: float = 0.0, progress: bool = False) -> Judged:
    """Off-policy: of two answers by whomever, the one that ``judge`` prefers is chosen.

    Each row is shown in both orders, and the two probabilities are averaged, so that a judge that only
    prefers the first place has no preference.

    Args:
        rows: triples (prompt, first, second), or mappings with these keys.
        judge: see :class:`Judge`; :class:`ChoiceJudge` and :class:`LikelihoodJudge` are in-process ones.
        least: how far from 1/2 the mean probability must be; a row within it is a tie, and so is one at 1/2.
        progress: a bar on standard error.

    Raises:
        InputError, InputTypeError: a row is none, or the judge gave no probabilities.
    """
    if not 0 <= least < 0.5:
        raise InputError(f"least: expected a number in [0, 0.5), got {least}")
    given = two_answers_of(rows)
    unfit = [_unfit(row) for row in given]
    asked = [row for row, why in zip(given, unfit, strict=True) if why is None]
    starts = range(0, len(asked), BATCH)
    shares: list[tuple[float, float]] = []
    for start in watched(starts, len(starts), "judging", progress):
        batch = asked[start : start + BATCH]
        turned = [TwoAnswers(row.prompt, row.second, row.first) for row in batch]
        shares += zip(_probabilities(judge, batch), _probabilities(judge, turned), strict=True)
    found = iter(shares)
    outcomes, preference, bias = [], [], []
    for row, why in zip(given, unfit, strict=True):
        if why is not None:
            outcomes.append(Outcome(None, why))
            preference.append(math.nan)
            bias.append(math.nan)
            continue
        shown, exchanged = next(found)
        preference.append(0.5 + (shown - exchanged) / 2)
        bias.append(shown + exchanged - 1)
        outcomes.append(_outcome(row, preference[-1], least))
    return Judged(tuple(outcomes), tuple(preference), tuple(bias))


def on_policy_pairs(
    target: LMLike,
    prompts: Sequence[str],
    judge: Judge,
    cache: "str | os.PathLike[str] | None" = None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    max_new_tokens: int = 256,
    batch_size: int = 8,
    least: float = 0.0,
    progress: bool = False,
) -> Judged:
    """On-policy: of two answers drawn from ``target`` itself, the one that ``judge`` prefers is chosen.

    A row whose preferred answer was cut off gives no pair. See :func:`sample_answers` for the drawing, and
    :func:`judged_pairs` for the judging.

    Raises:
        InputError, InputTypeError, OSError: as these do.
    """
    answers = sample_answers(
        target,
        prompts,
        cache,
        samples=2,
        sampling=sampling,
        seed=seed,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        progress=progress,
    )
    rows = [
        TwoAnswers(prompt, first.text, second.text)
        for prompt, (first, second) in zip(prompts, answers, strict=True)
    ]
    found = judged_pairs(rows, judge, least=least, progress=progress)
    outcomes = [_whole(outcome, two) for outcome, two in zip(found.outcomes, answers, strict=True)]
    return replace(found, outcomes=tuple(outcomes))


def _whole(outcome: Outcome, answers: Sequence[Completion]) -> Outcome:
    """No pair where what is chosen was cut off."""
    for answer in answers:
        if outcome.pair is not None and outcome.pair.chosen == answer.text and not answer.finished:
            return Outcome(None, Reason.CUT_OFF, f"after {len(answer.text):,} characters")
    return outcome


def _unfit(row: TwoAnswers) -> Reason | None:
    if not row.first.strip() or not row.second.strip():
        return Reason.BLANK
    return Reason.UNCHANGED if row.first.split() == row.second.split() else None


def _outcome(row: TwoAnswers, preference: float, least: float) -> Outcome:
    if abs(preference - 0.5) <= least:
        return Outcome(None, Reason.TIE, f"{preference:.3f} for the first")
    if preference > 0.5:
        return Outcome(PreferencePair(row.prompt, row.first, row.second))
    return Outcome(PreferencePair(row.prompt, row.second, row.first))


def _probabilities(judge: Judge, rows: list[TwoAnswers]) -> list[float]:
    found = [float(value) for value in judge(rows)]
    if len(found) != len(rows):
        raise InputError(f"judge: expected {len(rows)} probabilities, one for each row, got {len(found)}")
    if wrong := [value for value in found if not 0 <= value <= 1]:
        raise InputError(f"judge: expected probabilities in [0, 1], got {wrong[0]}")
    return found
