"""The five estimators as their definitions say, one pair of models after the other: slow and obvious."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def mean_over_pairs(values: Array, y: Array, of: Callable[[float], float]) -> float:
    found = [np.sign(y[g] - y[k]) * of(values[g] - values[k]) for g in range(len(y)) for k in range(g)]
    return float(np.sum(found) / len(found))


def product(x: Array, y: Array) -> float:
    return float(np.mean(x * y))


def sign(x: Array, y: Array) -> float:
    return mean_over_pairs(x, y, float)


def sign_cdf(x: Array, y: Array) -> float:
    return mean_over_pairs(rankdata(x) / len(x), y, float)


def sign_sign(x: Array, y: Array) -> float:
    return mean_over_pairs(x, y, np.sign)


def spearmanr(x: Array, y: Array) -> float:
    a, b = (rankdata(values) - (len(x) + 1) / 2 for values in (x, y))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else np.nan


DEFINITIONS = {f.__name__: f for f in (product, sign, sign_cdf, sign_sign, spearmanr)}


def by_definition(name: str, x: Array, y: Array) -> Array:
    """x [N, D], y [N, K] -> [D, K]; NaN left out pairwise."""
    out = np.full((x.shape[1], y.shape[1]), np.nan)
    for d, k in places(out):
        there = ~(np.isnan(x[:, d]) | np.isnan(y[:, k]))
        if there.sum() >= 2:
            out[d, k] = DEFINITIONS[name](x[there, d], y[there, k])
    return out


def places(out: Array) -> Iterator[tuple[int, int]]:
    return ((d, k) for d in range(out.shape[0]) for k in range(out.shape[1]))
