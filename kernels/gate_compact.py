"""Triton kernels and launcher of ``gate_compact``: a gate, and the rows that it keeps, copied and normed.

Method. ``gate_kernel`` reads each row once for both sums, of squares and with the gate's weights, and
writes z, G, whether the row is kept, and one over its root mean square. A scan ranks the kept rows
(``compact``), and ``gate_gather_kernel`` copies them and writes them normed for the layer that follows. In a
single pass blocks would wait for the counts of those before them; what that could save is the second read of
the kept rows, which the second-level cache serves in part (H100: 50 MB).

Roofline on paper (A100 80GB 2.0 TB/s, H100 SXM 3.35), N rows of D numbers of s bytes of which M are kept:
bound by memory throughout, (N + 3 M) D s bytes. Of 8,192 rows of 1,472 in bf16 (ByT5 small) half kept: 60 MB,
30 us on A100 and 18 on H100, and the wait of the host for M, about 10 us. Norm, projection, copy and norm one
by one move (3 N + 4 M) D s bytes, 121 MB.

No GPU speed has been measured. What is checked without a GPU: results in Triton's interpreter, and registers,
spills and shared memory by the ahead-of-time gate.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels import compact

ROWS = 4
COLS = 512
WARPS = 4
STAGES = 2


@triton.jit
def gate_kernel(
    x_ptr,
    weight_ptr,
    norm_ptr,
    bias_ptr,
    closed_ptr,
    values_ptr,
    logits_ptr,
    roots_ptr,
    keep_ptr,
    n_rows,
    dim,
    stride_row,
    scale,
    threshold,
    eps,
    LOGARITHMIC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """G, z, 1 / root mean square and whether G is above the threshold, for rows of x [N, dim]."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row_ok = rows < n_rows
    at = x_ptr + rows.to(tl.int64)[:, None] * stride_row
    squares = tl.zeros([ROWS, COLS], tl.float32)
    weighted = tl.zeros([ROWS, COLS], tl.float32)
    for first in range(0, dim, COLS):
        cols = first + tl.arange(0, COLS)
        col_ok = cols < dim
        x = tl.load(at + cols[None, :], mask=row_ok[:, None] & col_ok[None, :], other=0.0).to(tl.float32)
        weight = tl.load(weight_ptr + cols, mask=col_ok, other=0.0).to(tl.float32)
        if norm_ptr is not None:
            weight *= tl.load(norm_ptr + cols, mask=col_ok, other=0.0).to(tl.float32)
        squares += x * x
        weighted += x * weight[None, :]
    root = 1.0 / tl.sqrt(tl.sum(squares, 1) / dim + eps)
    z = tl.sum(weighted, 1)
    if norm_ptr is not None:
        z *= root
    z += tl.load(bias_ptr).to(tl.float32)
    # e^-|z| neither overflows nor loses what it is added to.
    small = tl.exp(-tl.abs(z))
    if LOGARITHMIC:
        gate = tl.minimum(z, 0.0, propagate_nan=tl.PropagateNan.ALL) - tl.log(1.0 + small)
    else:
        gate = scale * tl.where(z > 0, small, 1.0) / (1.0 + small)
    if closed_ptr is not None:
        gate = tl.where(tl.load(closed_ptr + rows, mask=row_ok, other=0) != 0, scale, gate)
    tl.store(values_ptr + rows, gate, mask=row_ok)
    tl.store(logits_ptr + rows, z, mask=row_ok)
    tl.store(roots_ptr + rows, root, mask=row_ok)
    tl.store(keep_ptr + rows, (gate > threshold).to(tl.uint8), mask=row_ok)


@triton.jit
def gate_gather_kernel(
    x_ptr,
    index_ptr,
    roots_ptr,
    norm_ptr,
    kept_ptr,
    normed_ptr,
    n_kept,
    dim,
    stride_row,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Rows ``index`` [M] of x into kept [M, dim], and times their roots and ``norm`` [dim] into normed."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row_ok = rows < n_kept
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    col_ok = cols < dim
    inside = row_ok[:, None] & col_ok[None, :]
    source = tl.load(index_ptr + rows, mask=row_ok, other=0)
    root = tl.load(roots_ptr + source, mask=row_ok, other=0.0)
    x = tl.load(x_ptr + source.to(tl.int64)[:, None] * stride_row + cols[None, :], mask=inside, other=0.0)
    norm = tl.load(norm_ptr + cols, mask=col_ok, other=0.0).to(tl.float32)
    normed = x.to(tl.float32) * root[:, None] * norm[None, :]
    to = rows.to(tl.int64)[:, None] * dim + cols[None, :]
    tl.store(kept_ptr + to, x, mask=inside)
    tl.store(normed_ptr + to, normed.to(normed_ptr.dtype.element_ty), mask=inside)


def forward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    next_norm: Tensor,
    norm: Tensor | None,
    kind: str,
    scale: float,
    threshold: float,
    eps: float,
    closed: Tensor | None,
) -> tuple[Tensor, ...]:
    """Return G, z, the kept rows' index, the kept rows, and the same normed.

    Args as :func:`pyfastlm.ops.gate_compact.gate_compact`; ``x`` [N, D] is read in place where the numbers of
    a row lie one after the other. Waits for the device once, for M.
    """
    x = x if x.stride(1) == 1 else x.contiguous()
    rows, dim = x.shape
    values, logits, roots = (torch.empty(rows, dtype=torch.float32, device=x.device) for _ in range(3))
    keep = torch.empty(rows, dtype=torch.uint8, device=x.device)
    with torch.cuda.device_of(x):
        if rows:
            gate_kernel[(triton.cdiv(rows, ROWS),)](
                x,
                weight.contiguous(),
                None if norm is None else norm.contiguous(),
                bias,
                None if closed is None else closed.contiguous().view(torch.uint8),
                values,
                logits,
                roots,
                keep,
                rows,
                dim,
                x.stride(0),
                scale,
                threshold,
                eps,
                LOGARITHMIC=kind == "log_sigmoid",
                ROWS=ROWS,
                COLS=COLS,
                num_warps=WARPS,
                num_stages=STAGES,
            )
        index, _ = compact.index(keep.view(torch.bool)[None])
        kept, normed = (torch.empty((len(index), dim), dtype=x.dtype, device=x.device) for _ in range(2))
        if kept.numel():
            gate_gather_kernel[(triton.cdiv(len(index), ROWS), triton.cdiv(dim, COLS))](
                x,
                index,
                roots,
                next_norm.contiguous(),
                kept,
                normed,
                len(index),
                dim,
                x.stride(0),
                ROWS=ROWS,
                COLS=COLS,
                num_warps=WARPS,
                num_stages=STAGES,
            )
    return values, logits, index, kept, normed
