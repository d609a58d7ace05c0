"""Attention over a batch of pieces: each sees itself, causally, and its parents; never a neighbour."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pyfastlm.lm.packing import Batch, Piece
from pyfastlm.ops.varlen_attention import varlen_attention

# Children of one parent attend together, up to this many rows: one call instead of many tiny ones, at the
# price of a few products that the mask throws away.
MAX_TOGETHER = 256


def unknown(options: Mapping[str, Any]) -> str | None:
    """What a model of transformers asks of its attention that is not known here, or None."""
    asked = (name for name in ("softcap", "s_aux", "position_bias") if options.get(name) is not None)
    return next(asked, None)


def end_to_end(q: Tensor, k: Tensor, v: Tensor, starts: Tensor, scale: float | None) -> Tensor:
    """Causal attention of each sequence to itself; they lie end to end.

    q [N, H, Dh], k and v [N, Hkv, Dh], starts [S + 1] int32 -> [N, H, Dh].
    """
    copies = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(copies, dim=1) if copies > 1 else x for x in (k, v))
    return varlen_attention(q, keys, values, starts, starts, causal=True, scale=scale)


class Block(NamedTuple):
    """Rows ``start:stop`` of a batch, which attend in one call; without ``mask`` they are one piece."""

    start: int
    stop: int
    parents: tuple[Piece, ...]
    mask: Tensor | None


class Layout:
    """Where the pieces of a batch lie and what each of them sees.

    ``later``: pieces whose keys and values the next batch needs.
    """

    def __init__(
        self, batch: Batch, later: Sequence[Piece], device: torch.device, dtype: torch.dtype
    ) -> None:
        stops = np.cumsum([len(piece.tokens) for piece in batch]).tolist()
        spans = [*zip(batch, [0, *stops], stops, strict=False)]
        wanted = {*later, *(parent for piece in batch for parent in piece.parents)}
        self._keep = [span for span in spans if span[0] in wanted]
        blocks = _blocks(spans, device, dtype)
        self._groups = [[*group] for _, group in groupby(blocks, key=lambda block: bool(block.parents))]
        tokens = np.concatenate([piece.tokens for piece in batch])
        positions = np.concatenate([np.arange(len(piece.tokens)) + piece.start for piece in batch])
        self.tokens = torch.from_numpy(tokens.astype(np.int64)).to(device)
        """[N] int64"""
        self.positions = torch.from_numpy(positions).to(device)
        """[N] int64, in the sequence of each token"""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
        """Attention of the whole batch: q [1, H, N, Dh], k and v [1, Hkv, N, Dh] -> [1, N, H, Dh]."""
        for piece, start, stop in self._keep:
            piece.kept[layer] = k[:, :, start:stop], v[:, :, start:stop]
        # Where torch has no kernel for sequences of different lengths, ours is faster than one call for each.
        full = q.dtype == k.dtype == v.dtype == torch.float32  # autocast may mix them
        packs = q.device.type == "cpu" and full and not torch.is_grad_enabled()
        out: list[Tensor] = []
        for group in self._groups:
            if packs and not group[0].parents:
                out.append(_together(group, q, k, v, scale))
            else:
                out.extend(_alone(block, layer, q, k, v, scale) for block in group)
        return torch.cat(out, dim=1)


def _together(blocks: Sequence[Block], q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
    """Attention of pieces that see only themselves, which lie end to end: [1, n, H, Dh]."""
    rows = slice(blocks[0].start, blocks[-1].stop)
    starts = torch.tensor([*(block.start for block in blocks), rows.stop], dtype=torch.int32) - rows.start
    q, k, v = (x[0, :, rows].transpose(0, 1) for x in (q, k, v))
    return end_to_end(q, k, v, starts, scale)[None]


def _alone(block: Block, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
    """Attention of one block to itself and its parents: [1, n, H, Dh]."""
    start, stop, parents, mask = block
    keys, values = k[:, :, start:stop], v[:, :, start:stop]
    if parents:
        before = [parent.kept[layer] for parent in parents]
        keys = torch.cat([*(pair[0] for pair in before), keys], dim=2)
        values = torch.cat([*(pair[1] for pair in before), values], dim=2)
    attended = F.scaled_dot_product_attention(
        q[:, :, start:stop],
        keys,
        values,
        attn_mask=None if mask is None else mask.to(q.dtype),  # autocast may have changed it
        is_causal=not parents and stop - start > 1,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return attended.transpose(1, 2)


def _blocks(
    spans: Sequence[tuple[Piece, int, int]], device: torch.device, dtype: torch.dtype
) -> Iterator[Block]:
    for _, family in groupby(spans, key=lambda span: span[0].parents):
        members = [*family]
        while members:
            count = 1
            parents, start = members[0][0].parents, members[0][1]
            while parents and count < len(members) and members[count][2] - start <= MAX_TOGETHER:
                count += 1
            lengths = [len(piece.tokens) for piece, _, _ in members[:count]]
            before = sum(len(parent.tokens) for parent in parents)
            mask = _mask(before, lengths, device, dtype) if parents else None
            yield Block(start, members[count - 1][2], parents, mask)
            members = members[count:]


def _mask(before: int, lengths: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """[n, before + n], to be added to the scores; None where everything is seen."""
    if sum(lengths) == 1:
        return None
    total = sum(lengths)
    piece = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    seen = (piece[:, None] == piece).tril()
    mask = torch.zeros(total, before + total, dtype=dtype)
    mask[:, before:].masked_fill_(~seen, float("-inf"))
    return mask.to(device)
