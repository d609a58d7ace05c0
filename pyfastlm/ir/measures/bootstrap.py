"""How sure a mean over queries is, by drawing queries anew."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyfastlm.errors import InputError

SEED = 42
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean over queries, and its 95 % interval (percentiles of the bootstrap)."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """Mean of a - b over the same queries, its 95 % interval, and the two-sided bootstrap p-value."""

    mean: float
    low: float
    high: float
    p: float


def interval(values: ArrayLike, *, replicates: int = 1000, seed: int = SEED) -> Interval:
    """Mean of ``values`` [Q] with its interval.

    Raises:
        InputError: there is no value, one is no number, or there are no replicates.
    """
    given = _checked("values", values)
    low, high = np.quantile(_means(given, replicates, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(given.mean()), float(low), float(high))


def paired(a: ArrayLike, b: ArrayLike, *, replicates: int = 1000, seed: int = SEED) -> Difference:
    """How much better ``a`` [Q] is than ``b`` [Q], the same queries in the same order.

    The p-value is twice the smaller share of replicates on either side of 0, one added to each count, so it
    is never 0. Equal values everywhere give 1.

    Raises:
        InputError: as :func:`interval`, or the lengths differ.
    """
    first, second = _checked("a", a), _checked("b", b)
    if len(first) != len(second):
        raise InputError(f"b: expected values of the same {len(first)} queries, got {len(second)}")
    found = _means(first - second, replicates, seed)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    sides = min(int((found <= 0).sum()), int((found >= 0).sum()))
    p = min(1.0, 2 * (sides + 1) / (replicates + 1))
    return Difference(float((first - second).mean()), float(low), float(high), p)


def _means(values: NDArray[np.float64], replicates: int, seed: int) -> NDArray[np.float64]:
    """[replicates], of values drawn with replacement."""
    if replicates < 1:
        raise InputError(f"replicates: expected a whole number >= 1, got {replicates}")
    drawn = np.random.default_rng(seed).integers(len(values), size=(replicates, len(values)))
    means: NDArray[np.float64] = values[drawn].mean(axis=1)
    return means


def _checked(name: str, values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(values, np.float64)
    if given.ndim != 1 or not len(given):
        raise InputError(f"{name}: expected the values of one or more queries, got shape {given.shape}")
    if not np.isfinite(given).all():
        raise InputError(f"{name}: expected finite numbers")
    return given
