"""A batch of pairs as a forest: whatever sequences have in common at their start is read once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.packing import Batch, Index
from pyfastlm.lm.prefix import share, whole
from pyfastlm.lm.windows import Window
from pyfastlm.preference.encoding import TokenPair


class Forest(NamedTuple):
    """What is read, and what is predicted.

    Output ``rows[i]`` of the ``batch`` predicts ``targets[i]``; the answers' tokens, one answer after the
    other, are predictions ``tokens`` [T], of answers ``owners`` [T]. What two answers begin with is predicted
    once, and counts for both.
    """

    batch: Batch
    rows: Index
    targets: Index
    tokens: Index
    owners: Index


def windows(pairs: Sequence[TokenPair]) -> list[Window]:
    """What is read and predicted of each answer: of all chosen, then of all rejected ones."""
    return [_window(pair.prompt, pair[side]) for side in (1, 2) for pair in pairs]


def forest(asked: Sequence[Window], *, shares: bool) -> Forest:
    """The forest of some sequences; with ``shares=False`` each is a tree of its own."""
    lengths = [len(window.targets) for window in asked]
    slots = np.cumsum([0, *lengths])
    if shares:
        pieces = share(asked, slots[:-1].tolist())
    else:
        pieces = [whole(window, slot) for window, slot in zip(asked, slots[:-1].tolist(), strict=True)]
    starts = np.cumsum([0, *(len(piece.tokens) for piece in pieces[:-1])])
    rows = np.concatenate([piece.rows + start for piece, start in zip(pieces, starts, strict=True)])
    targets = np.concatenate([piece.targets for piece in pieces])
    predicted, same = np.unique(np.stack([rows, targets]), axis=1, return_inverse=True)
    tokens = np.empty(slots[-1], np.int64)
    tokens[np.concatenate([piece.slots for piece in pieces])] = same.ravel()
    return Forest(pieces, predicted[0], predicted[1], tokens, np.repeat(np.arange(len(asked)), lengths))


def _window(prompt: Tokens, answer: Tokens) -> Window:
    inputs = np.concatenate([prompt, answer[:-1]]).astype(np.int32)
    return Window(inputs, answer if len(prompt) else answer[1:])
