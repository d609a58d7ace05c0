"""Right or wrong: counts, shares, and how sure they are."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pyfastlm.onion.sequences import Sequences

Z = 1.959963984540054  # of the normal distribution, 95 % within


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``; NaN of none."""

    hits: int
    n: int

    @property
    def share(self) -> float:
        """hits / n."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %: what share may have brought forth so many."""
        if not self.n:
            return math.nan, math.nan
        p, z = self.share, Z * Z / self.n
        middle, half = p + z / 2, Z * math.sqrt(p * (1 - p) / self.n + z / (4 * self.n))
        low, high = (middle - half) / (1 + z), (middle + half) / (1 + z)
        return (0.0 if self.hits == 0 else low), (1.0 if self.hits == self.n else high)


def exact(said: Tensor, truth: Sequences) -> Tensor:
    """[B] bool: the whole sequence is right. ``said`` [B, L] is not looked at past a length."""
    return ((said == truth.tokens) | ~truth.real).all(dim=1)


def share(right: Tensor) -> Share:
    """Of a bool tensor of any shape."""
    return Share(int(right.sum()), right.numel())


def shares(right: Tensor, groups: Tensor, n_groups: int) -> tuple[Share, ...]:
    """One share for each group 0 to n_groups - 1; ``right`` and ``groups`` [M]."""
    hits = torch.bincount(groups[right], minlength=n_groups).tolist()
    return tuple(
        Share(h, n) for h, n in zip(hits, torch.bincount(groups, minlength=n_groups).tolist(), strict=True)
    )
