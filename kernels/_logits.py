"""What the passes of ``linear_logp`` share: configurations, and a tile of logits."""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

IGNORE = tl.constexpr(-100)

GROUP_ROWS = 32
"""Row blocks that share one range of the weight before the next range."""


@dataclass(frozen=True)
class Blocks:
    """One launch configuration: tile of logits ``rows x vocab``, ``depth`` of a product step.

    ``widen``: tiles become float32 before the product.
    """

    rows: int
    vocab: int
    depth: int
    warps: int
    stages: int
    widen: bool


# Chosen by the gate, not by a clock: the largest tiles that spill nowhere, with every option on.
HALF = Blocks(128, 128, 64, warps=8, stages=3, widen=False)
HALF_ODD = Blocks(64, 128, 32, warps=8, stages=2, widen=False)
SINGLE = Blocks(64, 128, 16, warps=8, stages=2, widen=True)
MIXED = Blocks(64, 64, 16, warps=8, stages=2, widen=True)
FP_FUSION = True  # said aloud, because the default of Triton changes with 3.10


def blocks_for(hidden: Tensor, weight: Tensor) -> Blocks:
    """The configuration for [N, D] ``hidden`` and [V, D] ``weight``, by their dtypes and alignment.

    16-bit rows that are not aligned to 16 elements cannot be copied asynchronously: they pass through
    registers, and a tile of ``HALF`` would spill.

    Raises:
        TypeError: for float64, which has no tiles here.
    """
    if torch.float64 in (hidden.dtype, weight.dtype):
        raise TypeError(
            "hidden: expected float32, bfloat16 or float16 for Triton, got float64; use impl='reference'"
        )
    if hidden.dtype != weight.dtype:
        return MIXED
    if hidden.dtype == torch.float32:
        return SINGLE
    return HALF if _aligned(hidden) and _aligned(weight) else HALF_ODD


def _aligned(x: Tensor) -> bool:
    """Whether Triton knows every row of ``x`` to start and end on a multiple of 16 elements."""
    return x.data_ptr() % 16 == 0 and x.stride(0) % 16 == 0 and x.shape[1] % 16 == 0


@triton.jit
def _tanh(x):
    """Hyperbolic tangent within 1.5 units in the last place (Triton's own needs libdevice, which the
    interpreter lacks). The polynomial is a minimax fit of (tanh(x) / x - 1) / x^2 on |x| < 0.625."""
    q = x * x
    p = -0.0057049873 * q + 0.020639088
    p = p * q - 0.053739715
    p = p * q + 0.13331442
    p = p * q - 0.33333281
    small = x + x * (q * p)
    large = 1.0 - 2.0 / (tl.exp(2.0 * tl.abs(x)) + 1.0)
    large = tl.where(x < 0.0, -large, large)
    return tl.where(tl.abs(x) < 0.625, small, large)


@triton.jit
def _logits(
    hidden_ptr,
    weight_ptr,
    bias_ptr,
    rows,
    cols,
    n_rows,
    n_vocab,
    depth,
    stride_hidden,
    stride_weight,
    logit_scale,
    softcap,
    WIDEN: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_VOCAB: tl.constexpr,
    BLOCK_DEPTH: tl.constexpr,
):
    """Logits [BLOCK_ROWS, BLOCK_VOCAB] of ``rows`` and ``cols`` in float32; both passes share it."""
    row_ok = rows < n_rows
    col_ok = cols < n_vocab
    steps = tl.arange(0, BLOCK_DEPTH)
    hidden_ptrs = hidden_ptr + rows.to(tl.int64)[:, None] * stride_hidden + steps[None, :]  # [BR, BD]
    weight_ptrs = weight_ptr + cols.to(tl.int64)[None, :] * stride_weight + steps[:, None]  # [BD, BV]
    acc = tl.zeros([BLOCK_ROWS, BLOCK_VOCAB], tl.float32)
    for start in range(0, depth, BLOCK_DEPTH):
        inside = steps < depth - start
        h = tl.load(hidden_ptrs + start, mask=row_ok[:, None] & inside[None, :], other=0.0)
        w = tl.load(weight_ptrs + start, mask=inside[:, None] & col_ok[None, :], other=0.0)
        if WIDEN:
            h = h.to(tl.float32)
            w = w.to(tl.float32)
        # Products of 16-bit floats are exact in float32 whatever the precision asked for. Float32 tiles
        # keep all 24 bits ("ieee"), as the reference and the native kernel do: tf32 would round each
        # factor to 11 bits and move a log-probability by about 1e-3.
        acc = tl.dot(h, w, acc, input_precision="ieee")
    z = acc * logit_scale
    if bias_ptr is not None:
        z += tl.load(bias_ptr + cols, mask=col_ok, other=0.0).to(tl.float32)[None, :]
    if softcap is not None:
        z = softcap * _tanh(z / softcap)
    return z
