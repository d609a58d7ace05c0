"""What the passes of ``varlen_attention`` share: configurations, arguments, and the work on one tile."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import triton
import triton.language as tl
from torch import Tensor

LOG2E = tl.constexpr(1.4426950408889634)
SCAN = tl.constexpr(512)  # positions that are looked at together for the end of what is visible


@dataclass(frozen=True)
class Blocks:
    """One launch configuration: ``queries x keys`` scores in a tile."""

    queries: int
    keys: int
    warps: int
    stages: int


# Chosen by the gate, not by a clock: the largest tiles that spill nowhere with every option on, by pass,
# bytes of a number and width of a head.
BLOCKS = {
    ("fwd", 2, 64): Blocks(128, 64, warps=8, stages=3),
    ("fwd", 2, 128): Blocks(64, 64, warps=8, stages=2),
    ("fwd", 2, 256): Blocks(64, 32, warps=8, stages=2),
    ("fwd", 4, 64): Blocks(64, 32, warps=8, stages=2),
    ("fwd", 4, 128): Blocks(32, 32, warps=8, stages=1),
    ("dq", 2, 64): Blocks(128, 64, warps=8, stages=2),
    ("dq", 2, 128): Blocks(64, 64, warps=8, stages=2),
    ("dq", 2, 256): Blocks(64, 32, warps=8, stages=2),
    ("dq", 4, 64): Blocks(32, 32, warps=8, stages=1),
    ("dq", 4, 128): Blocks(16, 16, warps=8, stages=1),
    ("dkdv", 2, 64): Blocks(32, 64, warps=4, stages=2),
    ("dkdv", 2, 128): Blocks(32, 64, warps=8, stages=2),
    ("dkdv", 2, 256): Blocks(32, 32, warps=8, stages=2),
    ("dkdv", 4, 64): Blocks(32, 32, warps=8, stages=1),
    ("dkdv", 4, 128): Blocks(16, 16, warps=8, stages=1),
}
# Rows of 16-bit numbers that are not aligned to 16 of them pass through registers one by one.
ODD_BLOCKS = {
    ("fwd", 2, 64): Blocks(64, 32, warps=8, stages=2),
    ("fwd", 2, 256): Blocks(32, 32, warps=4, stages=2),
    ("dq", 2, 64): Blocks(64, 32, warps=8, stages=2),
    ("dq", 2, 128): Blocks(64, 32, warps=8, stages=2),
    ("dq", 2, 256): Blocks(32, 16, warps=8, stages=1),
}
FP_FUSION = True  # said aloud, because the default of Triton changes with 3.10
# Counts that change from batch to batch: a kernel for each of their alignments would gain nothing.
COUNTS = ["n_queries", "n_keys", "n_sequences", "radius"]


def block_dim(dim: int) -> int:
    """Width of the tiles for heads of ``dim`` numbers; the rest is masked."""
    wide: int = triton.next_power_of_2(dim)
    return max(16, wide)


def blocks_for(name: str, itemsize: int, dim: int, aligned: bool) -> Blocks:
    """The configuration of a pass: fwd, dq, or dkdv, which dtable shares.

    Raises:
        ValueError: there is none, because the head is too wide.
    """
    key = name, itemsize, max(64, block_dim(dim))
    if key not in BLOCKS:
        most = max(width for _, size, width in BLOCKS if size == itemsize)
        raise ValueError(f"q: expected heads of at most {most} numbers for Triton, got {dim}")
    return BLOCKS[key] if aligned else ODD_BLOCKS.get(key, BLOCKS[key])


class Inputs(NamedTuple):
    """What both passes share, as the operator takes it; see :func:`pyfastlm.ops.varlen_attention`."""

    q: Tensor
    k: Tensor
    v: Tensor
    cu_seqlens_q: Tensor
    cu_seqlens_k: Tensor
    positions_q: Tensor | None
    positions_k: Tensor | None
    rel_bias: Tensor | None
    key_bias: Tensor | None
    causal: bool
    softmax1: bool
    scale: float

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.cu_seqlens_q) - 1

    def in_rows(self) -> "Inputs":
        """The same inputs; a copy of a tensor where the numbers of a head do not lie one after the other."""
        q, k, v = (x if x.stride(2) == 1 else x.contiguous() for x in self[:3])
        return self._replace(q=q, k=k, v=v)

    def blocks(self, name: str) -> Blocks:
        """The configuration of the pass ``name``."""
        dim = self.q.shape[2]
        aligned = dim % 16 == 0 and all(
            x.data_ptr() % 16 == 0 and x.stride(0) % 16 == 0 and x.stride(1) % 16 == 0 for x in self[:3]
        )
        return blocks_for(name, self.q.itemsize, dim, aligned)

    def arguments(self) -> list[Any]:
        """The arguments that all kernels begin with."""
        placed = self.causal or self.rel_bias is not None
        positions = [x if placed else None for x in (self.positions_q, self.positions_k)]
        table = None if self.rel_bias is None else table_of(self.rel_bias).t()
        others = (self.cu_seqlens_q, self.cu_seqlens_k, *positions, table, self.key_bias)
        return [
            *self[:3],
            *(None if x is None else x.contiguous() for x in others),
            len(self.q),
            len(self.k),
            self.sequences,
            0 if table is None else table.shape[1] // 2,
            *(stride for x in self[:3] for stride in x.stride()[:2]),
            self.scale,
        ]

    def constants(self, blocks: Blocks) -> dict[str, Any]:
        """What the compiler sees as constants, and its options."""
        dim = self.q.shape[2]
        return {
            "CAUSAL": self.causal,
            "DIM": dim,
            "BLOCK_DIM": block_dim(dim),
            "BLOCK_Q": blocks.queries,
            "BLOCK_K": blocks.keys,
            "num_warps": blocks.warps,
            "num_stages": blocks.stages,
            "enable_fp_fusion": FP_FUSION,
        }


def table_of(rel_bias: Tensor) -> Tensor:
    """A table of one entry as one with two ends, so that no distance belongs to both."""
    return rel_bias.expand(3, -1) if len(rel_bias) == 1 else rel_bias


@triton.jit
def _load_rows(ptr, first, end, stride, ROWS: tl.constexpr, DIM: tl.constexpr, BLOCK_DIM: tl.constexpr):
    """Rows of one head from ``first`` on [ROWS, BLOCK_DIM]; zeros from row ``end`` on and past the head."""
    rows = tl.arange(0, ROWS)
    dims = tl.arange(0, BLOCK_DIM)
    mask = (rows < end - first)[:, None] & (dims < DIM)[None, :]
    ptr += tl.cast(first, tl.int64) * stride
    return tl.load(ptr + (rows[:, None] * stride + dims[None, :]), mask=mask, other=0.0)


@triton.jit
def _store_rows(ptr, x, first, end, DIM: tl.constexpr):
    """The reverse, into the head ``tl.program_id(1)`` of a contiguous [N, H, DIM]."""
    rows = tl.arange(0, x.shape[0])
    dims = tl.arange(0, x.shape[1])
    mask = (rows < end - first)[:, None] & (dims < DIM)[None, :]
    stride = tl.num_programs(1) * DIM
    ptr += tl.cast(first, tl.int64) * stride + tl.program_id(1) * DIM
    tl.store(ptr + (rows[:, None] * stride + dims[None, :]), x.to(ptr.dtype.element_ty), mask=mask)


@triton.jit
def _positions(positions_ptr, first, start, end, BLOCK: tl.constexpr):
    """Positions of a block of rows, the least and the greatest of them; rows past the end repeat the last."""
    rows = tl.minimum(first + tl.arange(0, BLOCK), end - 1)
    if positions_ptr is None:
        positions = rows - start
        low = first - start
        high = tl.minimum(first + BLOCK, end) - 1 - start
    else:
        positions = tl.load(positions_ptr + rows)
        low = tl.min(positions)
        high = tl.max(positions)
    return positions, low, high


@triton.jit
def _scores(
    products,
    scale,
    distance,
    low,
    high,
    table_ptr,
    radius,
    key_bias,
    inside,
    CAUSAL: tl.constexpr,
):
    """Scores of a tile in units of ln 2, so that they are for exp2; -inf for keys that are not seen.

    ``distance`` is key - query for each score, between ``low`` and ``high``.
    """
    z = products * (scale * LOG2E)
    if table_ptr is not None:
        if high <= -radius:
            bias = tl.zeros_like(z) + tl.load(table_ptr).to(tl.float32)
        elif low >= radius:
            bias = tl.zeros_like(z) + tl.load(table_ptr + 2 * radius).to(tl.float32)
        else:
            entry = tl.minimum(tl.maximum(distance, -radius), radius) + radius
            bias = tl.load(table_ptr + entry).to(tl.float32)
        z += bias * LOG2E
    if key_bias is not None:
        z += key_bias * LOG2E
    z = tl.where(inside, z, float("-inf"))
    if CAUSAL:
        z = tl.where(distance <= 0, z, float("-inf"))
    return z


@triton.jit
def _end_of_keys(positions_ptr, start, end, latest, CAUSAL: tl.constexpr):
    """Past the last key that a query at position ``latest`` or before may see."""
    if CAUSAL:
        if positions_ptr is None:
            end = tl.minimum(end, start + latest + 1)
        else:
            last = start
            for first in range(start, end, SCAN):
                rows = first + tl.arange(0, SCAN)
                seen = (rows < end) & (tl.load(positions_ptr + rows, mask=rows < end, other=0) <= latest)
                last = tl.maximum(last, tl.max(tl.where(seen, rows + 1, start)))
            end = last
    return end


@triton.jit
def _first_query(positions_ptr, start, end, earliest, CAUSAL: tl.constexpr):
    """The first query that may see a key at position ``earliest`` or later."""
    if CAUSAL:
        if positions_ptr is None:
            start = start + earliest
        else:
            found = end
            for first in range(start, end, SCAN):
                rows = first + tl.arange(0, SCAN)
                sees = (rows < end) & (tl.load(positions_ptr + rows, mask=rows < end, other=0) >= earliest)
                found = tl.minimum(found, tl.min(tl.where(sees, rows, end)))
            start = found
    return start
