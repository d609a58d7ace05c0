"""Triton kernel and launcher of ``int8_linear``: a product of whole numbers, scaled where it is written.

Method. The launcher takes ``zero`` off the bytes of the rows once, so that both factors are int8, the sums of
columns are not needed, and tiles are copied into shared memory ahead of the product with no arithmetic on the
way. Weights keep the layout of the native kernels, four of the depth side by side in panels of 16 columns; a
tensor core takes fours as well. A tile of panels is read as its bytes lie, and then only its shape changes.
Sums are exact in 32 bits, so a result depends neither on tiles nor on other rows. A scale that is NaN makes
its row NaN.

Roofline on paper (dense peak rates of the vendor's data sheets: A100 80GB 624 TOP/s int8, 2.0 TB/s; H100 SXM
1,979, 3.35). With N rows, width D and V columns: 2 N D V operations; N D + V D + 4 N V bytes, and 2 N D to
take ``zero`` off.

- What is written in float32 bounds the product where D is below 624 on A100 and 1,182 on H100. N 2,048,
  D 576, V 1,536: 3.6 GOP and 17 MB, 5.8 us of tensor cores against 8.5 of memory on A100, 1.8 against 5.1 on
  H100.
- N 2,048, D 4,096, V 14,336: 241 GOP and 201 MB, 385 us against 101 on A100, 122 against 60 on H100.
- Few rows: one read of the weights, half the bytes of bfloat16.

Quantising the rows is not in this. On a GPU torch does it, in tens of passes over N D numbers of float32: for
the last shape over 1 ms on A100, where the same product in bfloat16 takes 0.8. It pays beside bfloat16 only
where several layers read the same rows, as :func:`pyfastlm.ops.int8_rows` lets them.

No GPU speed has been measured. What is checked without a GPU: results against float64 in Triton's
interpreter, and registers, spills and shared memory by the ahead-of-time gate.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

DEEP = tl.constexpr(4)  # numbers of a column side by side
PANEL = tl.constexpr(16)  # columns side by side

GROUP_ROWS = 32
"""Row blocks that share one block of columns before the next."""


@dataclass(frozen=True)
class Blocks:
    """One launch configuration: tile of products ``rows x cols``, ``depth`` of a step."""

    rows: int
    cols: int
    depth: int
    warps: int
    stages: int


# Chosen by the gate, not by a clock.
MANY = Blocks(128, 128, 128, warps=8, stages=3)
FEW = Blocks(64, 64, 128, warps=4, stages=4)
ENOUGH = 128  # programs, about one for each multiprocessor
FP_FUSION = True  # said aloud, because the default of Triton changes with 3.10


def blocks_for(rows: int, cols: int) -> Blocks:
    """The configuration for a product [rows, cols]: large tiles where they keep a whole GPU busy."""
    return MANY if triton.cdiv(rows, MANY.rows) * triton.cdiv(cols, MANY.cols) >= ENOUGH else FEW


@triton.jit
def int8_linear_kernel(
    values_ptr,
    row_scale_ptr,
    panels_ptr,
    scale_ptr,
    bias_ptr,
    out_ptr,
    n_rows,
    n_cols,
    steps,
    GROUP_ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLS: tl.constexpr,
    BLOCK_DEPTH: tl.constexpr,
):
    """One tile of ``out`` [N, V], of int8 values [N, 4 steps] and panels [V / 16, steps, 16, 4]."""
    BLOCK_STEPS: tl.constexpr = BLOCK_DEPTH // DEEP
    BLOCK_PANELS: tl.constexpr = BLOCK_COLS // PANEL
    STEP: tl.constexpr = PANEL * DEEP
    # Row blocks run fastest within a group: neighbours share one block of columns.
    pid = tl.program_id(0)
    col_blocks = tl.cdiv(n_cols, BLOCK_COLS)
    row_block, col_block = tl.swizzle2d(
        pid // col_blocks, pid % col_blocks, tl.cdiv(n_rows, BLOCK_ROWS), col_blocks, GROUP_ROWS
    )
    rows = row_block * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    cols = col_block * BLOCK_COLS + tl.arange(0, BLOCK_COLS)
    panels = col_block * BLOCK_PANELS + tl.arange(0, BLOCK_PANELS)
    row_ok, col_ok, panel_ok = rows < n_rows, cols < n_cols, panels < tl.cdiv(n_cols, PANEL)
    depth, size = steps * DEEP, steps * STEP  # of a row, of a panel
    deep = tl.arange(0, BLOCK_DEPTH)
    flat = tl.arange(0, BLOCK_STEPS * STEP)
    value_ptrs = values_ptr + rows.to(tl.int64)[:, None] * depth + deep[None, :]  # [BR, BD]
    panel_ptrs = panels_ptr + panels.to(tl.int64)[:, None] * size + flat[None, :]  # [BC / 16, 16 BD]
    acc = tl.zeros([BLOCK_ROWS, BLOCK_COLS], tl.int32)
    for start in range(0, steps, BLOCK_STEPS):
        inside = deep < depth - start * DEEP
        v = tl.load(value_ptrs + start * DEEP, mask=row_ok[:, None] & inside[None, :], other=0)
        inside = flat < size - start * STEP
        w = tl.load(panel_ptrs + start * STEP, mask=panel_ok[:, None] & inside[None, :], other=0)
        w = tl.permute(tl.reshape(w, (BLOCK_PANELS, BLOCK_STEPS, PANEL, DEEP)), (1, 3, 0, 2))
        acc = tl.dot(v, tl.reshape(w, (BLOCK_DEPTH, BLOCK_COLS)), acc)
    row_scale = tl.load(row_scale_ptr + rows, mask=row_ok, other=0.0)
    scale = tl.load(scale_ptr + cols, mask=col_ok, other=0.0)
    z = acc.to(tl.float32) * (scale[None, :] * row_scale[:, None])
    if bias_ptr is not None:
        z += tl.load(bias_ptr + cols, mask=col_ok, other=0.0)[None, :]
    out = out_ptr + rows.to(tl.int64)[:, None] * n_cols + cols[None, :]
    tl.store(out, z, mask=row_ok[:, None] & col_ok[None, :])


def forward(
    values: Tensor,
    row_scale: Tensor,
    panels: Tensor,
    scale: Tensor,
    total: Tensor,
    bias: Tensor | None,
    dim: int,
    zero: int,
    out: Tensor,
) -> None:
    """Write the products [..., V].

    Args:
        values, row_scale: of :class:`pyfastlm.ops.Int8Rows`, contiguous.
        panels, scale, total: of :class:`pyfastlm.ops.Int8Weight`, contiguous; ``total`` is not read.
        bias: [V] float32, contiguous, or None.
        dim: D; what lies behind it in ``values`` and ``panels`` is multiplied too, and is zeros.
        zero: the byte that stands for 0.
        out: [..., V] float32, contiguous.
    """
    rows, cols = row_scale.numel(), out.shape[-1]
    if out.numel() == 0:
        return
    blocks = blocks_for(rows, cols)
    grid = (triton.cdiv(rows, blocks.rows) * triton.cdiv(cols, blocks.cols),)
    with torch.cuda.device_of(values):
        int8_linear_kernel[grid](
            _signed(values, zero),
            row_scale,
            panels,
            scale,
            bias,
            out,
            rows,
            cols,
            panels.shape[1],
            GROUP_ROWS=GROUP_ROWS,
            BLOCK_ROWS=blocks.rows,
            BLOCK_COLS=blocks.cols,
            BLOCK_DEPTH=blocks.depth,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
            enable_fp_fusion=FP_FUSION,
        )


def _signed(values: Tensor, zero: int) -> Tensor:
    """Bytes less ``zero``, int8."""
    return (values - zero).view(torch.int8)  # uint8 wraps around, as it should
