"""Greedy decoding that leaves sequences which were read already, many at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pyfastlm.lm.following import NEAR, Followed
from pyfastlm.lm.head import ROWS_OF_LOGITS
from pyfastlm.lm.packing import Piece, batches
from pyfastlm.lm.runner import Runner


@dataclass(eq=False)
class Branch:
    """What the model decodes after the first ``at`` tokens of a course that was followed.

    Attributes:
        trunk: the course.
        at: how many of its tokens are kept.
        tokens: what is decoded instead of the rest; starts with one token.
        close: of each of them, whether it hung on two logits nearer than 1e-4; not known of the first.
    """

    trunk: Followed
    at: int
    tokens: list[int]
    close: list[bool] = field(default_factory=lambda: [False])
    _read: Piece = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._parents = tuple(cut for piece in self.trunk.pieces if (cut := _cut(piece, self.at)) is not None)
        self._read = Piece(np.empty(0, np.int32), start=self.at)

    def piece(self, shares: bool) -> Piece:
        """What is to be read for the next token: the newest, or everything where the model cannot share."""
        if not shares:
            return Piece(np.concatenate([self.trunk.course.tokens[: self.at], self.tokens]).astype(np.int32))
        before = (*self._parents, self._read) if len(self._read.tokens) else self._parents
        newest = np.array(self.tokens[-1:], np.int32)
        return Piece(newest, parents=before, start=self.at + len(self.tokens) - 1)

    def keep(self, piece: Piece) -> None:
        """Remember the keys and values of what was read."""
        before = self._read.kept
        self._read = Piece(np.append(self._read.tokens, piece.tokens), start=self.at)
        for layer, new in piece.kept.items():
            old = before.get(layer)
            k, v = new if old is None else (torch.cat([a, b], dim=2) for a, b in zip(old, new, strict=True))
            self._read.kept[layer] = k, v


def grow(runner: Runner, branches: Sequence[Branch], wanted: Callable[[Branch], bool]) -> None:
    """Decode all branches token by token, each as long as it is ``wanted``.

    To be called before the next batch of :func:`pyfastlm.lm.following.follow` is asked for. Where the model
    shares prefixes, only the new tokens are read.
    """
    growing = [branch for branch in branches if wanted(branch)]
    while growing:
        following = iter(growing)
        for batch in batches((branch.piece(runner.shares) for branch in growing), runner.budget):
            outputs = runner.hidden(batch, batch if runner.shares else ())
            last = torch.from_numpy(np.cumsum([len(piece.tokens) for piece in batch]) - 1)
            tokens, close = _choices(runner, outputs[last.to(outputs.device)])
            for piece, token, near in zip(batch, tokens, close, strict=True):
                branch = next(following)
                branch.tokens.append(token)
                branch.close.append(near)
                if runner.shares:
                    branch.keep(piece)
        growing = [branch for branch in growing if wanted(branch)]


@torch.inference_mode()
def _choices(runner: Runner, outputs: Tensor) -> tuple[list[int], list[bool]]:
    tokens: list[int] = []
    close: list[bool] = []
    for rows in outputs.split(ROWS_OF_LOGITS):
        logits = runner.head.logits(rows).float()
        best, second = logits.topk(2, dim=-1).values.T
        tokens += logits.argmax(dim=-1).tolist()
        close += (best - second < NEAR).tolist()
    return tokens, close


def _cut(piece: Piece, at: int) -> Piece | None:
    """The part of ``piece`` among the first ``at`` tokens; None where it has none."""
    n = at - piece.start
    if n <= 0:
        return None
    if n >= len(piece.tokens):
        return piece
    kept = {layer: (k[:, :, :n], v[:, :, :n]) for layer, (k, v) in piece.kept.items()}
    return Piece(piece.tokens[:n], start=piece.start, kept=kept)
