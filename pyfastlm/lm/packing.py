"""Sequences laid end to end without padding, in batches of a bounded number of tokens."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm.lm.encoding import Tokens

Batch: TypeAlias = "list[Piece]"
Index: TypeAlias = NDArray[np.int64]


def _none() -> Index:
    return np.empty(0, np.int64)


@dataclass(eq=False, slots=True)
class Piece:
    """A run of tokens that the model reads once: a whole sequence, or what several have in common.

    A piece sees itself and its ``parents``, the pieces before it in the sequence. ``start`` is the position
    of its first token there. Output ``rows[i]`` of the piece predicts ``targets[i]``; ``slots[i]`` says where
    its log-probability goes.
    """

    tokens: Tokens
    rows: Index = field(default_factory=_none)
    targets: Index = field(default_factory=_none)
    slots: Index = field(default_factory=_none)
    parents: "tuple[Piece, ...]" = ()
    start: int = 0
    kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Keys and values [1, Hkv, n, Dh] by layer, while pieces to come need them."""


def batches(pieces: Iterable[Piece], budget: int) -> Iterator[Batch]:
    """Cut the stream into batches of at most ``budget`` tokens; a longer piece makes a batch of its own."""
    batch: Batch = []
    size = 0
    for piece in pieces:
        if batch and size + len(piece.tokens) > budget:
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += len(piece.tokens)
    if batch:
        yield batch


def release(batch: Batch, held: Sequence[Piece], later: Sequence[Piece]) -> None:
    """After ``batch``: of it and of what was ``held`` for it, only ``later`` keep their keys and values."""
    for piece in (*held, *batch):
        if piece not in later:
            piece.kept.clear()
    for piece in batch:
        # A view would hold on to the whole batch.
        piece.kept.update({layer: (k.clone(), v.clone()) for layer, (k, v) in piece.kept.items()})
