"""How the log-probabilities of pairs have changed, with intervals."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.preference.builders.outcome import wilson
from pyfastlm.preference.references import References

REPLICATES = 2000  # of an interval


class Interval(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """What a training did to some pairs.

    Attributes:
        pairs: how many.
        chosen, rejected: mean change of the log-probability of an answer, in nats (bootstrap over pairs).
        margin: mean of chosen minus rejected.
        accuracy: share of pairs whose chosen answer gained more than the rejected one (Wilson).
        likelier_before, likelier_after: shares whose chosen answer is the likelier one.
    """

    pairs: int
    chosen: Interval
    rejected: Interval
    margin: Interval
    accuracy: Interval
    likelier_before: float
    likelier_after: float


def change(before: References, after: References, *, seed: int = 0) -> Change:
    """From log-probabilities [N] of both answers, before and after; ``seed`` of the bootstrap."""
    old, new = (np.array(logps, np.float64) for logps in (before, after))
    chosen, rejected = new - old
    gained = int((chosen > rejected).sum())
    count = len(chosen)
    drawn = np.random.default_rng(seed).integers(count, size=(REPLICATES, count))
    return Change(
        count,
        _mean(chosen, drawn),
        _mean(rejected, drawn),
        _mean(chosen - rejected, drawn),
        Interval(gained / count, *wilson(gained, count)),
        float((old[0] > old[1]).mean()),
        float((new[0] > new[1]).mean()),
    )


def _mean(values: NDArray[np.float64], drawn: NDArray[np.int64]) -> Interval:
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))
