"""Triton kernels and launchers of ``compact`` and ``uncompact``: kept rows move together, and back.

Method. One scan (torch.cumsum) ranks the kept rows of the whole batch; ``compact_index_kernel`` writes the
position of each at its rank, and the scan at the ends of the sequences is ``cu_seqlens``. Gathering copies
rows; for the way back ``compact_place_kernel`` first inverts the index, so that ``compact_scatter_kernel``
writes every row of the batch once, kept or filled. Rows are copied as integers of the same size: any dtype,
bit for bit. A position outside the batch, which only a caller can make, copies nothing.

Roofline on paper (A100 80GB 2.0 TB/s, H100 SXM 3.35), B L rows of D numbers of s bytes of which N are kept:
no arithmetic, bound by memory throughout.

- index: 1 byte read and 4 written and read again for each of the B L rows, 4 written for each of the N.
- gather: 2 N D s bytes and 4 N. Of B 8, L 1,024, D 1,472 in bf16 (ByT5 small) half kept: 24 MB, 12 us on
  A100 and 7 on H100; the index adds 0.1 MB and the wait of the host for N, about 10 us, once.
- scatter: (N + B L) D s bytes and 12 B L: 36 MB here, 18 us on A100 and 11 on H100. Filling the batch
  first would write N D s bytes twice.

No GPU speed has been measured. What is checked without a GPU: results bit for bit in Triton's interpreter,
and registers, spills and shared memory by the ahead-of-time gate.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels._sequences import _locate, slots

INDEX_BLOCK = 1024
WARPS = 4
STAGES = 1  # nothing here is a loop
# Integers of the same size: what a row is copied as.
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.int64}


@dataclass(frozen=True)
class Blocks:
    """One launch configuration: a tile of ``rows x cols`` integers."""

    rows: int
    cols: int


def blocks_for(width: int) -> Blocks:
    """The configuration for rows of ``width`` integers: 4,096 of them a program, in whole rows if narrow."""
    cols = min(512, max(16, triton.next_power_of_2(width)))
    return Blocks(rows=min(64, 4096 // cols), cols=cols)


@triton.jit
def compact_index_kernel(keep_ptr, ends_ptr, positions_ptr, n_rows, length, BLOCK: tl.constexpr):
    """Positions [N] of the kept among [B L] rows; ``ends`` [B L] counts the kept rows up to each, with it."""
    rows = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = rows < n_rows
    kept = inside & (tl.load(keep_ptr + rows, mask=inside, other=0) != 0)
    rank = tl.load(ends_ptr + rows, mask=kept, other=1) - 1
    tl.store(positions_ptr + rank, rows % length, mask=kept)


@triton.jit(do_not_specialize=["n_sequences"])
def compact_gather_kernel(
    x_ptr,
    positions_ptr,
    starts_ptr,
    values_ptr,
    n_sequences,
    length,
    width,
    stride_sequence,
    stride_row,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Rows of x [B, L, width] into values [N, width]; grid (slots, blocks of columns)."""
    sequence, first, _, end = _locate(tl.program_id(0), starts_ptr, n_sequences, ROWS)
    if first >= end:
        return
    rows = first + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    inside = (rows < end)[:, None] & (cols < width)[None, :]
    at = tl.load(positions_ptr + rows, mask=rows < end, other=0)
    known = inside & ((at >= 0) & (at < length))[:, None]
    source = x_ptr + sequence.to(tl.int64) * stride_sequence + at.to(tl.int64)[:, None] * stride_row
    x = tl.load(source + cols[None, :], mask=known, other=0)
    tl.store(values_ptr + rows.to(tl.int64)[:, None] * width + cols[None, :], x, mask=inside)


@triton.jit(do_not_specialize=["n_sequences"])
def compact_place_kernel(positions_ptr, starts_ptr, inverse_ptr, n_sequences, length, BLOCK: tl.constexpr):
    """The packed row that belongs to each row of the batch, into ``inverse`` [B, L]; grid (slots)."""
    sequence, first, _, end = _locate(tl.program_id(0), starts_ptr, n_sequences, BLOCK)
    rows = first + tl.arange(0, BLOCK)
    at = tl.load(positions_ptr + rows, mask=rows < end, other=-1)
    known = (at >= 0) & (at < length)
    tl.store(inverse_ptr + sequence.to(tl.int64) * length + at, rows, mask=known)


@triton.jit
def compact_scatter_kernel(
    values_ptr,
    inverse_ptr,
    fill_ptr,
    x_ptr,
    n_rows,
    width,
    stride_row,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """Rows of values [N, width] into x [B L, width], ``fill`` [width] where there is none."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    cols = tl.program_id(1) * COLS + tl.arange(0, COLS)
    col_ok = cols < width
    inside = (rows < n_rows)[:, None] & col_ok[None, :]
    source = tl.load(inverse_ptr + rows, mask=rows < n_rows, other=-1).to(tl.int64)
    fill = tl.load(fill_ptr + cols, mask=col_ok, other=0)
    kept = (source >= 0)[:, None]
    values = values_ptr + source[:, None] * stride_row + cols[None, :]
    x = tl.where(kept, tl.load(values, mask=kept & inside, other=0), fill[None, :])
    tl.store(x_ptr + rows[:, None] * width + cols[None, :], x, mask=inside)


def index(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Return positions [N] and cu_seqlens [B+1], int32, of what ``keep`` [B, L] bool keeps.

    Waits for the device once, for N.
    """
    sequences, length = keep.shape
    cu_seqlens = torch.zeros(sequences + 1, dtype=torch.int32, device=keep.device)
    keep = keep.contiguous()
    ends = keep.view(-1).cumsum(0, dtype=torch.int32)
    if length:
        cu_seqlens[1:] = ends[length - 1 :: length]
    positions = torch.empty(int(cu_seqlens[-1]), dtype=torch.int32, device=keep.device)
    if len(positions):
        with torch.cuda.device_of(keep):
            compact_index_kernel[(triton.cdiv(keep.numel(), INDEX_BLOCK),)](
                keep.view(torch.uint8),
                ends,
                positions,
                keep.numel(),
                length,
                BLOCK=INDEX_BLOCK,
                num_warps=WARPS,
                num_stages=STAGES,
            )
    return positions, cu_seqlens


def gather(x: Tensor, positions: Tensor, cu_seqlens: Tensor, values: Tensor) -> None:
    """Write values[n] = x[b, positions[n]] for the rows n of sequence b.

    Args:
        x: [B, L, ...] of any dtype; read in place where the numbers of a row lie one after the other.
        positions, cu_seqlens: as :func:`index` returns them. Zeros are written for a position outside [0, L).
        values: [N, ...], contiguous, in the dtype of ``x``.
    """
    if values.numel() == 0:
        return
    sequences, length = x.shape[:2]
    source = _bits(x.reshape(sequences, length, values.shape[1:].numel()))
    target = _bits(values.view(len(values), -1))
    width = target.shape[1]
    blocks = blocks_for(width)
    with torch.cuda.device_of(x):
        compact_gather_kernel[(slots(len(values), sequences, blocks.rows), triton.cdiv(width, blocks.cols))](
            source,
            positions.contiguous(),
            cu_seqlens.contiguous(),
            target,
            sequences,
            length,
            width,
            source.stride(0),
            source.stride(1),
            ROWS=blocks.rows,
            COLS=blocks.cols,
            num_warps=WARPS,
            num_stages=STAGES,
        )


def scatter(values: Tensor, positions: Tensor, cu_seqlens: Tensor, fill: float, x: Tensor) -> None:
    """Write the reverse of :func:`gather`; ``fill`` where no position names a row.

    Args:
        values: [N, ...] of any dtype.
        positions, cu_seqlens: as :func:`index` returns them. A row whose position lies outside [0, L) is
            lost; of rows with the same position one stays, whichever.
        fill: what stands where no row was kept.
        x: [B, L, ...], contiguous, in the dtype of ``values``.
    """
    if x.numel() == 0:
        return
    sequences, length = x.shape[:2]
    width = x.shape[2:].numel()
    source = _bits(values.reshape(len(values), width))
    target = _bits(x.view(-1, width))
    filling = _bits(torch.full((1, width), fill, dtype=x.dtype, device=x.device))
    inverse = torch.full((sequences * length,), -1, dtype=torch.int32, device=x.device)
    width = target.shape[1]
    blocks = blocks_for(width)
    with torch.cuda.device_of(x):
        if len(values):
            compact_place_kernel[(slots(len(values), sequences, INDEX_BLOCK),)](
                positions.contiguous(),
                cu_seqlens.contiguous(),
                inverse,
                sequences,
                length,
                BLOCK=INDEX_BLOCK,
                num_warps=WARPS,
                num_stages=STAGES,
            )
        compact_scatter_kernel[(triton.cdiv(len(target), blocks.rows), triton.cdiv(width, blocks.cols))](
            source,
            inverse,
            filling,
            target,
            len(target),
            width,
            source.stride(0),
            ROWS=blocks.rows,
            COLS=blocks.cols,
            num_warps=WARPS,
            num_stages=STAGES,
        )


def _bits(x: Tensor) -> Tensor:
    """The same memory (a copy if the numbers of a row do not lie one after the other) as integers."""
    return (x if x.stride(-1) == 1 else x.contiguous()).view(BITS[x.itemsize])
