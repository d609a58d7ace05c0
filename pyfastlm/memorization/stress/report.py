"""What a stress test found."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.memorization.stress.variants import KINDS, Kind, Variant
from pyfastlm.memorization.token_ids import Ids


class KindRow(NamedTuple):
    """The prompts of one kind: how many, the longest and the mean length (tokens), copied ones left out, and
    the share of them with all that could be counted."""

    kind: Kind
    prompts: int
    longest: int
    mean: float
    at_limit: float


@dataclass(frozen=True, eq=False)
class StressReport:
    """How much of one sequence comes back from each of n prompts.

    A maximum grows with the number of prompts: compare reports with the same ones.

    Attributes:
        tokens: [T] the sequence.
        variants: the n prompts, the original first.
        lengths: [n] int64, tokens of the true continuation that greedy decoding reproduces.
        limits: [n] int64, the most that could be counted.
        copied: [n] bool, whether the prompt itself has what was reproduced; see ``VerbatimLengths.copied``.
        trivial: [n] bool, whether what was reproduced is blank, or one token again and again.
        ties: [n] bool, whether another rounding might have given another length.
        horizon: the most tokens asked for.
    """

    tokens: Ids
    variants: tuple[Variant, ...]
    lengths: NDArray[np.int64]
    limits: NDArray[np.int64]
    copied: NDArray[np.bool_]
    trivial: NDArray[np.bool_]
    ties: NDArray[np.bool_]
    horizon: int

    @property
    def original(self) -> int:
        """The length after the original prompt; 0 where it is copied."""
        return 0 if self.copied[0] else int(self.lengths[0])

    @property
    def longest(self) -> int:
        """The most of all prompts, copied ones left out."""
        return int(np.where(self.copied, 0, self.lengths).max(initial=0))

    @property
    def worst(self) -> Variant:
        """The first prompt that gives :attr:`longest`."""
        return self.variants[int(np.where(self.copied, -1, self.lengths).argmax())]

    @property
    def by_kind(self) -> tuple[KindRow, ...]:
        """A row for each kind of prompt that there is."""
        kinds = np.array([variant.kind for variant in self.variants])
        rows = []
        for kind in KINDS:
            if (here := kinds == kind).any():
                counted = self.lengths[here & ~self.copied]
                full = (self.lengths == self.limits)[here & ~self.copied]
                rows.append(
                    KindRow(
                        kind,
                        int(here.sum()),
                        int(counted.max(initial=0)),
                        float(counted.mean()) if len(counted) else float("nan"),
                        float(full.mean()) if len(full) else float("nan"),
                    )
                )
        return tuple(rows)
