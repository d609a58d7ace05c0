"""Sequences as batches of equal length."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pyfastlm.lm.next_token import NOTHING, NextToken
from pyfastlm.lm.order import Order
from pyfastlm.memorization.token_ids import Ids


class Batches:
    """Step by step ``size`` of the sequences, in an order that ``seed`` draws anew for each round."""

    def __init__(self, sequences: Sequence[Ids], size: int, seed: int, device: torch.device) -> None:
        self._sequences = sequences
        self._size = min(size, len(sequences))
        self._order = Order(len(sequences), seed)
        self._device = device

    def at(self, step: int) -> Tensor:
        """[size, longest] token ids of step number ``step``, from 0; filled up at the ends."""
        return self._rows(self._order.take(step * self._size, self._size).tolist())

    def all(self) -> list[Tensor]:
        """Every sequence once."""
        places = [*range(len(self._sequences))]
        return [self._rows(places[at : at + self._size]) for at in range(0, len(places), self._size)]

    def _rows(self, places: Sequence[int]) -> Tensor:
        some = [self._sequences[place] for place in places]
        rows = np.full((len(some), max(map(len, some))), NOTHING, np.int64)
        for row, ids in zip(rows, some, strict=True):
            row[: len(ids)] = ids
        return torch.from_numpy(rows).to(self._device)


def mean_nats(objective: NextToken, tokens: Tensor) -> Tensor:
    """Nats for each target, a scalar."""
    total, count = objective(tokens)
    return total / count
