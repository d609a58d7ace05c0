"""Sequences that grow: their keys and values are kept, and new tokens of many are read together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.lm.body import PackedBody
from pyfastlm.lm.packing import Piece
from pyfastlm.lm.runner import Runner

ROOM = 64  # tokens that a buffer holds at least, more than it needs now


class Keys:
    """The tokens of one sequence that were read, with their keys and values by layer.

    Attributes:
        tokens: what was read.
        room: for how many tokens buffers are made at once, if that is known.
    """

    def __init__(self, room: int = 0) -> None:
        self.tokens: list[int] = []
        self.room = room
        self._buffers: dict[int, tuple[Tensor, Tensor]] = {}  # [1, Hkv, room, Dh]

    def cut(self, count: int) -> None:
        """Forget all but the first ``count`` tokens."""
        del self.tokens[count:]

    def part(self, start: int, stop: int) -> dict[int, tuple[Tensor, Tensor]]:
        """Copies of the keys and values of some tokens, by layer: [1, Hkv, stop - start, Dh]."""
        return {
            layer: (k[:, :, start:stop].clone(), v[:, :, start:stop].clone())
            for layer, (k, v) in self._buffers.items()
        }

    def extend(self, tokens: Sequence[int], kept: dict[int, tuple[Tensor, Tensor]]) -> None:
        """Take over what :meth:`part` gave: ``kept`` of the next ``tokens`` of this sequence."""
        for layer, (k, v) in kept.items():
            self.put(layer, k, v)
        self.tokens += tokens

    def put(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values [1, Hkv, n, Dh] behind the tokens; views of all, with them."""
        n = len(self.tokens)
        stop = n + k.shape[2]
        buffers = self._buffers.get(layer)
        if buffers is None or buffers[0].shape[2] < stop:
            size = max(self.room, stop + ROOM)
            grown = [x.new_empty(*x.shape[:2], size, x.shape[3]) for x in (k, v)]
            for new, old in zip(grown, buffers or (), strict=False):
                new[:, :, :n] = old[:, :, :n]
            buffers = self._buffers[layer] = grown[0], grown[1]
        for buffer, new in zip(buffers, (k, v), strict=True):
            buffer[:, :, n:stop] = new
        return buffers[0][:, :, :stop], buffers[1][:, :, :stop]

    def seen(self, layer: int) -> tuple[Tensor, Tensor] | None:
        """Views of the keys and values of all tokens; None without any."""
        n = len(self.tokens)
        if n == 0:
            return None
        k, v = self._buffers[layer]
        return k[:, :, :n], v[:, :, :n]


class Extension(NamedTuple):
    """``tokens``, at least one, that follow those of ``keys``; which are kept there, or only tried."""

    keys: Keys
    tokens: Sequence[int]
    kept: bool = True


@torch.inference_mode()
def read(runner: Runner, extensions: Sequence[Extension]) -> Tensor:
    """What the head takes [N, D], of all new tokens, those of one extension after those of the other.

    One call of the model where it shares prefixes. Else whole sequences are read again. No two of the
    extensions that are kept may have the same ``keys``.
    """
    body = runner.body
    if isinstance(body, PackedBody):
        hidden = body.laid(_Growth(extensions, body.device))
    else:
        whole = [Piece(np.array([*each.keys.tokens, *each.tokens], np.int32)) for each in extensions]
        parts = body.hidden(whole, ()).split([len(piece.tokens) for piece in whole])
        hidden = torch.cat([x[-len(e.tokens) :] for x, e in zip(parts, extensions, strict=True)])
    for each in extensions:
        if each.kept:
            each.keys.tokens += each.tokens
    return hidden


class _Growth:
    """The :class:`pyfastlm.lm.body.Attention` in which new tokens see their own sequence, causally."""

    def __init__(self, extensions: Sequence[Extension], device: torch.device) -> None:
        starts = [len(each.keys.tokens) for each in extensions]
        lengths = [len(each.tokens) for each in extensions]
        tokens = [token for each in extensions for token in each.tokens]
        places = [torch.arange(n) + start for n, start in zip(lengths, starts, strict=True)]
        self.tokens = torch.tensor(tokens, device=device)
        self.positions = torch.cat(places).to(device)
        stops = np.cumsum(lengths).tolist()
        self._spans = [*zip(extensions, [0, *stops], stops, strict=False)]
        self._masks: dict[tuple[int, int], Tensor] = {}

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
        """q [1, H, N, Dh], k and v [1, Hkv, N, Dh] -> [1, N, H, Dh]."""
        out = []
        for each, start, stop in self._spans:
            keys, values = k[:, :, start:stop], v[:, :, start:stop]
            if each.kept:
                keys, values = each.keys.put(layer, keys, values)
            elif (before := each.keys.seen(layer)) is not None:
                keys, values = (torch.cat(pair, dim=2) for pair in zip(before, (keys, values), strict=True))
            out.append(self._attended(q[:, :, start:stop], keys, values, scale))
        return torch.cat(out, dim=1)

    def _attended(self, q: Tensor, keys: Tensor, values: Tensor, scale: float | None) -> Tensor:
        _, heads, rows, width = q.shape
        shared = keys.shape[1]
        # Query heads with the same keys become rows of one head: nothing is copied for them.
        grouped = q.reshape(1, shared, heads // shared * rows, width)
        before = keys.shape[2] - rows
        mask = None
        if rows > 1:
            mask = self._mask(before, rows, q).repeat(heads // shared, 1)
        found = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scale)
        return found.view(1, heads, rows, -1).transpose(1, 2)

    def _mask(self, before: int, rows: int, like: Tensor) -> Tensor:
        """[rows, before + rows], to be added to the scores."""
        if (before, rows) not in self._masks:
            mask = like.new_zeros(rows, before + rows)
            mask[:, before:].masked_fill_(like.new_ones(rows, rows).triu(1).bool(), float("-inf"))
            self._masks[before, rows] = mask
        return self._masks[before, rows]
