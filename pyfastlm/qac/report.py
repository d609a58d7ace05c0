"""How good an engine is: success, reciprocal rank, and what limits them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyfastlm.qac.ceilings import Ceilings

COLUMNS = ("rows", "n", "S@1", "S@{k}", "RR@{k}", "in dictionary")
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the rows: ``n`` of them, with their means."""

    name: str
    n: int
    success_at_1: float
    success_at_k: float
    rr_at_k: float
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Means over all rows; a term that no dictionary has counts 0.

    Attributes:
        k: how many answers counted.
        n, sessions: rows, and sessions that they are of.
        success_at_1: share of rows whose term was the first answer.
        success_at_k: share whose term was among the first ``k``.
        rr_at_k: mean of 1 / its place, 0 where it was not among them.
        success_interval, rr_interval: 95 % intervals of the last two, from sessions drawn anew.
        coverage: share of rows whose term is in the dictionary.
        ceilings: what limits an engine; see there.
        by_prefix_length, by_popularity, by_context: the same for parts of the rows. Popularity is the place
            among the rows that the dictionary has by its score: tenths, the most popular first.
        ranks: [n] int32, the place of each row's term, from 1; 0 where it is not among the ``k``.
    """

    k: int
    n: int
    sessions: int
    success_at_1: float
    success_at_k: float
    rr_at_k: float
    success_interval: Interval
    rr_interval: Interval
    coverage: float
    ceilings: Ceilings
    by_prefix_length: tuple[Slice, ...]
    by_popularity: tuple[Slice, ...]
    by_context: tuple[Slice, ...]
    ranks: NDArray[np.int32] = field(repr=False)

    def success_at(self, k: int) -> float:
        """Share of rows whose term was among the first ``k`` answers.

        Raises:
            ValueError: more answers than were asked for.
        """
        if not 1 <= k <= self.k:
            raise ValueError(f"k: expected 1 to {self.k}, got {k}")
        return float(((self.ranks > 0) & (self.ranks <= k)).mean())

    def columns(self) -> list[str]:
        """Heads of :meth:`cells`."""
        return [column.format(k=self.k) for column in COLUMNS]

    def cells(self) -> list[list[str]]:
        """The slices as rows of a table, all rows first."""
        whole = Slice("all", self.n, self.success_at_1, self.success_at_k, self.rr_at_k, self.coverage)
        parts = (whole, *self.by_prefix_length, *self.by_popularity, *self.by_context)
        return [
            [
                part.name,
                f"{part.n:,}",
                f"{part.success_at_1:.3f}",
                f"{part.success_at_k:.3f}",
                f"{part.rr_at_k:.3f}",
                f"{part.coverage:.3f}",
            ]
            for part in parts
        ]
