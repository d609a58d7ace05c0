"""Sequences of symbols of different lengths in one tensor, and their names as single numbers."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm.errors import InputError

Ints = NDArray[np.int64]
PAD = 0  # a symbol like any other: nothing past a sequence's length is ever looked at


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """``tokens`` [M, L] int64, filled up with symbol 0 behind each sequence, and ``lengths`` [M] int64."""

    tokens: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def real(self) -> Tensor:
        """[M, L] bool: which places hold a token of the sequence."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device) < self.lengths.unsqueeze(1)

    def rows(self, index: Tensor) -> "Sequences":
        """Those that ``index`` (int64 places or a bool mask) names, in its order."""
        return Sequences(self.tokens[index], self.lengths[index])

    def of_length(self, length: int) -> "Sequences":
        """Those of one length; none is no error."""
        return self.rows(self.lengths == length)


def keys(tokens: Ints, lengths: Ints, n_symbols: int) -> Ints:
    """A number for each sequence, another for each other one: [M]; ``tokens`` [M, L] is not read past
    ``lengths`` [M].

    Raises:
        InputError: there are more sequences so long than an int64 counts.
    """
    longest = tokens.shape[1]
    if possible(n_symbols, longest) * 2 >= 2**63:
        raise InputError(
            f"max_len: sequences of {longest} of {n_symbols} symbols are too many to be numbered"
        )
    found = np.zeros(len(tokens), np.int64)
    first = np.zeros(longest + 1, np.int64)  # the number of the first sequence of each length
    for place in range(longest):
        first[place + 1] = first[place] + n_symbols**place
        found += np.where(place < lengths, tokens[:, place] * n_symbols**place, 0)
    return found + first[lengths]


def possible(n_symbols: int, length: int) -> int:
    """How many sequences of one length there are."""
    return int(n_symbols**length)
