"""T5's attention on packed rows: no scale, a bias by distance, a bias by key, softmax1 where asked for."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pyfastlm import ops
from pyfastlm.mrt5.config import MrT5Config
from pyfastlm.mrt5.layers import Embedding, Linear


class Rows(NamedTuple):
    """Where packed rows belong: ``cu_seqlens`` [B+1] int32; ``positions`` [N] int32 in their sequences."""

    cu_seqlens: Tensor
    positions: Tensor | None = None


class Keys(NamedTuple):
    """What is attended to: ``k``, ``v`` [M, H, Dh], their rows, and ``bias`` [M] on their scores."""

    k: Tensor
    v: Tensor
    rows: Rows
    bias: Tensor | None = None


class Attention(nn.Module):
    """The four projections around :func:`pyfastlm.ops.varlen_attention`.

    ``relative``: whether this one holds the weights of the relative bias, which all blocks of a stack share.
    Attention weights have no dropout, unlike T5's: they never exist.
    """

    def __init__(self, config: MrT5Config, relative: bool = False) -> None:
        super().__init__()
        self.heads: int = config.num_heads
        self.dim: int = config.d_kv
        self.softmax1: bool = config.use_softmax1
        self.max_distance: int = config.relative_attention_max_distance
        inner = config.num_heads * config.d_kv
        self.q = Linear(config.d_model, inner, std=(config.d_model * config.d_kv) ** -0.5)
        self.k = Linear(config.d_model, inner)
        self.v = Linear(config.d_model, inner)
        self.o = Linear(inner, config.d_model)
        if relative:
            self.relative_attention_bias = Embedding(
                config.relative_attention_num_buckets, config.num_heads, config.d_model**-0.5
            )

    def table(self, bidirectional: bool) -> Tensor:
        """[2R+1, H], the bias by distance; only where ``relative``."""
        return ops.t5_bias_table(self.relative_attention_bias.weight, bidirectional, self.max_distance)

    def keys(self, x: Tensor, rows: Rows, bias: Tensor | None = None) -> Keys:
        """What rows [M, D] are to those that attend to them."""
        return Keys(self._split(self.k(x)), self._split(self.v(x)), rows, bias)

    def forward(
        self, x: Tensor, rows: Rows, keys: Keys, table: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Rows [N, D] attend to the keys of their sequence: [N, D]."""
        attended = ops.varlen_attention(
            self._split(self.q(x)),
            keys.k,
            keys.v,
            rows.cu_seqlens,
            keys.rows.cu_seqlens,
            positions_q=rows.positions,
            positions_k=keys.rows.positions,
            rel_bias=table,
            key_bias=keys.bias,
            causal=causal,
            softmax1=self.softmax1,
            scale=1.0,
        )
        return self.o(attended.flatten(1))  # type: ignore[no-any-return]

    def _split(self, x: Tensor) -> Tensor:
        return x.view(-1, self.heads, self.dim)


def thinned(rows: Rows, kept: Tensor, index: Tensor) -> Rows:
    """Of rows those of ``kept`` [N] bool, which are at ``index`` [M]; they keep the positions they had."""
    assert rows.positions is not None
    before = F.pad(kept.cumsum(0, dtype=torch.int32), (1, 0))  # rows kept before each
    return Rows(before[rows.cu_seqlens], rows.positions[index])


def unbroken(cu_seqlens: Tensor, rows: int) -> Tensor:
    """[N] int32: 0, 1, ... in each sequence."""
    starts = cu_seqlens[:-1].repeat_interleave(cu_seqlens.diff(), output_size=rows)
    return torch.arange(rows, dtype=torch.int32, device=cu_seqlens.device) - starts
