"""Rank correlation of two scores of the same prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError

PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho, and the share of orders by chance with one as far from 0 (two-sided)."""

    rho: float
    p: float

    def __str__(self) -> str:
        """In words."""
        if np.isnan(self.rho):
            return "no rank correlation, because the scores of one kind are all equal"
        return f"a rank correlation (Spearman) of {self.rho:.2f} (p {self.p:.3f})"


def spearman(a: Sequence[float], b: Sequence[float]) -> Correlation:
    """Rank correlation; of equal values each has the mean of their ranks. NaN where all are equal.

    Raises:
        InputError: there are fewer than three values, or not as many of both.
    """
    if len(a) != len(b) or len(a) < 3:
        raise InputError(f"a, b: expected as many values of both, three at least, got {len(a)} and {len(b)}")
    first, second = _ranks(a), _ranks(b)
    scale = float(np.sqrt((first @ first) * (second @ second)))
    if scale == 0:
        return Correlation(float("nan"), 1.0)
    rho = float(first @ second) / scale
    rng = np.random.default_rng(0)
    others = np.array([first @ rng.permutation(second) for _ in range(PERMUTATIONS)]) / scale
    far = int((np.abs(others) >= abs(rho) - 1e-12).sum())
    return Correlation(rho, (far + 1) / (PERMUTATIONS + 1))


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Less their mean."""
    given = np.asarray(values, np.float64)
    below = (given[None] < given[:, None]).sum(1)
    equal = (given[None] == given[:, None]).sum(1)
    ranks: NDArray[np.float64] = below + (equal - 1) / 2
    ranks -= ranks.mean()
    return ranks
