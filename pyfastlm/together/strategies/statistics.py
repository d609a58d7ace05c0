"""Intervals of shares of right answers, of their differences, and of differences of differences."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError

REPLICATES = 4000  # of a bootstrap
Z = 1.959963984540054  # of a normal distribution, for 95 %


class Interval(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Outcome(NamedTuple):
    """One test row under one seed: its id, and whether each program got it right, in one order for all."""

    id: str
    right: tuple[bool, ...]


def wilson(right: int, count: int) -> Interval:
    """A share with Wilson's interval.

    Raises:
        InputError: ``count`` is below 1, or ``right`` not between 0 and it.
    """
    if count < 1 or not 0 <= right <= count:
        raise InputError(f"right: expected 0 to count, count 1 or more, got {right} of {count}")
    share = right / count
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * np.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    # Rounding must not put the bound on the wrong side of a share of 0 or 1.
    return Interval(
        share, min(share, max(0.0, float(middle - half))), max(share, min(1.0, float(middle + half)))
    )


def contrast(outcomes: Sequence[Outcome], weights: Sequence[float], *, seed: int = 0) -> Interval:
    """A weighted sum of accuracies on the same rows, with a paired bootstrap interval.

    Weights (1,) give an accuracy, (1, -1) a difference, (1, -1, -1, 1) a difference of differences. A row
    that comes under several seeds is drawn with all of its outcomes or not at all, so that it does not count
    as several independent ones. The interval is over rows, for these seeds; of other seeds it says nothing.

    Args:
        outcomes: one for each row and seed.
        weights: one for each program.
        seed: of the drawing.

    Raises:
        InputError: there is no outcome, or one has another number of programs than there are weights.
    """
    if not outcomes:
        raise InputError("outcomes: expected at least one, got none")
    if wrong := [each for each in outcomes if len(each.right) != len(weights)]:
        raise InputError(f"outcomes: expected {len(weights)} programs each, got {len(wrong[0].right)}")
    values = np.array([each.right for each in outcomes], np.float64) @ np.array(weights, np.float64)  # [N]
    _, rows = np.unique([each.id for each in outcomes], return_inverse=True)
    sums = np.bincount(rows, weights=values)  # of a row over seeds
    counts = np.bincount(rows).astype(np.float64)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(REPLICATES, len(sums)))
    means: NDArray[np.float64] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))
