"""What :func:`pyfastlm.memorization.verbatim_lengths` finds."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Mode: TypeAlias = Literal["token", "normalized"]
Lengths: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


class LengthRow(NamedTuple):
    """One prompt as a row of a file; the first five describe where the sequence and the model come from."""

    sequence_id: str
    transform: str | None
    checkpoint: str | None
    step: int | None
    repetitions: int | None
    p: int
    start: int
    length: int
    limit: int
    mode: str
    copied: bool
    trivial: bool
    tie: bool


@dataclass(frozen=True, eq=False)
class VerbatimLengths:
    """How many tokens greedy decoding reproduces, from S starts of a sequence and with P prefix lengths.

    Attributes:
        starts: [S] int64, where the prompts begin.
        prefix_lengths: P lengths of prompts, in tokens.
        lengths: [S, P] int64, tokens reproduced; -1 where no token is left after the prompt.
        limits: [S, P] int64, the most that could be counted there: the horizon, or what is left of the
            sequence; -1 as in ``lengths``.
        copied: [S, P], whether the prompt itself has what was reproduced: more than 5 tokens, of which the
            text, or the first 32 characters of it, is in the prompt. Such lengths are no evidence of memory.
        ties: [S, P], whether another rounding might have given another length: a decision that makes it
            hangs on two logits nearer than 1e-4.
        trivial: [S, P], whether what was reproduced is blank, or one token again and again.
        horizon: the most tokens asked for.
        mode: how it was measured.
    """

    starts: Lengths
    prefix_lengths: tuple[int, ...]
    lengths: Lengths
    limits: Lengths
    copied: Flags
    ties: Flags
    trivial: Flags
    horizon: int
    mode: Mode = "token"

    @property
    def longest(self) -> int:
        """The most of all prompts, copied ones left out; 0 where there is none."""
        return self._most(~self.copied)

    @property
    def longest_varied(self) -> int:
        """The same, with trivial ones left out too."""
        return self._most(~self.copied & ~self.trivial)

    @property
    def max_by_prefix(self) -> Lengths:
        """[P] int64: :attr:`longest` of each prefix length."""
        longest: Lengths = np.where(self.copied, 0, self.lengths).max(axis=0, initial=0)
        return longest

    @property
    def at_limit(self) -> float:
        """Share of prompts with the most that could be counted; much of this hides how long they are."""
        return self._share(self.lengths >= self.limits)

    def share(self, at_least: int) -> float:
        """Share of prompts with this many tokens reproduced, not copied; of prompts with room for them.

        NaN where no prompt has room.
        """
        return self._share((self.lengths >= at_least) & ~self.copied, at_least)

    def rows(
        self,
        sequence_id: str,
        *,
        transform: str | None = None,
        checkpoint: str | None = None,
        step: int | None = None,
        repetitions: int | None = None,
    ) -> list[LengthRow]:
        """One row for each prompt that has a length, by start and then prefix."""
        source = (sequence_id, transform, checkpoint, step, repetitions)
        return [
            LengthRow(
                *source,
                p=self.prefix_lengths[j],
                start=int(self.starts[i]),
                length=int(self.lengths[i, j]),
                limit=int(self.limits[i, j]),
                mode=self.mode,
                copied=bool(self.copied[i, j]),
                trivial=bool(self.trivial[i, j]),
                tie=bool(self.ties[i, j]),
            )
            for i, j in np.argwhere(self.limits >= 0).tolist()
        ]

    def _most(self, counted: Flags) -> int:
        return int(np.where(counted, self.lengths, 0).max(initial=0))

    def _share(self, which: Flags, room: int = 1) -> float:
        there = self.limits >= max(room, 1)
        return float(which[there].mean()) if there.any() else float("nan")
