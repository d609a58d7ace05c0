"""Triton kernels and launchers of ``gru_scan``: all steps of some rows in one program, and its gradients.

Method. A program takes ROWS rows through all steps and never waits for another. Of every UNITS units it
multiplies the states of the step before with the three gates' weights, adds the row of the table, and writes
the next states, from which it reads again in the next step; a barrier of its threads lies between. It ends
with its longest row, so rows are best sorted by length. The backward pass goes the same way back:
gradients of the gates from those of the states, a barrier, what the weights make of them, a barrier. The
gradients of weights and table are matrix products over all steps (the table's with a one-hot matrix, so that
sums have one order), left to torch.

Roofline on paper (A100 80GB 19.5 TFLOP/s fp32, H100 SXM 67), B rows of T steps, N units: 6 B T N^2 FLOP
forward and as many for the gradient of the states, on the fp32 units, all 24 bits. At B 256, T 18, N 64 these
are 0.11 GFLOP, 6 us on A100 if all of it worked; 16 programs are on as many of its 108 multiprocessors, so 40
us at best, and 18 barriers and chains of N / DEPTH products come on top: bound by latency. The weights, 48 KB
(12 N^2), are read once a step by each program, from L1 up to N of about 100, else from L2. A step of cuDNN's
GRU is one product over all rows instead, and so faster from some N on; this kernel is for small N and many
rows, and addresses weights with 32 bits: N up to 26,000.

No GPU speed has been measured. What is checked without a GPU: results in Triton's interpreter, and registers,
spills and shared memory by the ahead-of-time gate.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 16
UNITS = 32
DEPTH = 32
DEPTH_BACK = 16  # of the backward pass, whose registers would spill
WARPS = 4
STAGES = 2


@triton.jit
def _sigmoid(x):
    small = tl.exp(-tl.abs(x))  # neither overflows nor loses what it is added to
    return tl.where(x < 0, small, 1.0) / (1.0 + small)


@triton.jit
def _tanh(x):
    small = tl.exp(-2.0 * tl.abs(x))
    return tl.where(x < 0, small - 1.0, 1.0 - small) / (1.0 + small)


@triton.jit
def _rows_and_lengths(lengths_ptr, n_rows, n_steps, ROWS: tl.constexpr):
    """The first row of this program, and how many steps each of its rows has: 0 where there is none."""
    first = tl.program_id(0) * ROWS
    row_ok = first + tl.arange(0, ROWS) < n_rows
    if lengths_ptr is not None:
        lengths = tl.load(lengths_ptr + first + tl.arange(0, ROWS), mask=row_ok, other=0)
        return first.to(tl.int64), tl.minimum(lengths, n_steps).to(tl.int32)
    return first.to(tl.int64), tl.where(row_ok, n_steps, 0)


@triton.jit
def _states_before(states_ptr, h0_ptr, step, cols, mask, n_steps, size, ROWS: tl.constexpr):
    """The states [ROWS, cols] before ``step``: those of the step before it, h0, or zeros."""
    rows = tl.arange(0, ROWS)[:, None]
    at = (rows * n_steps + step - 1) * size + cols[None, :]
    h = tl.load(states_ptr + at, mask=mask & (step > 0), other=0.0)
    if h0_ptr is not None:
        h += tl.load(h0_ptr + rows * size + cols[None, :], mask=mask & (step == 0), other=0.0)
    return h


@triton.jit
def gru_scan_fwd_kernel(
    table_ptr,
    ids_ptr,
    weight_ptr,
    bias_ptr,
    h0_ptr,
    lengths_ptr,
    states_ptr,
    last_ptr,
    gates_ptr,
    n_rows,
    n_steps,
    n_vocab,
    size,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """States [B, T, N] of ROWS rows up to their lengths, the last [B, N], gates [B, T, 4, N] if wanted."""
    start, lengths = _rows_and_lengths(lengths_ptr, n_rows, n_steps, ROWS)
    rows = tl.arange(0, ROWS)
    ids_ptr += start * n_steps
    states_ptr += start * n_steps * size
    last_ptr += start * size
    if h0_ptr is not None:
        h0_ptr += start * size
    if gates_ptr is not None:
        gates_ptr += start * n_steps * 4 * size
    for step in range(0, tl.max(lengths, 0)):
        active = step < lengths
        ids = tl.load(ids_ptr + rows * n_steps + step, mask=active, other=0)
        ids = tl.minimum(tl.maximum(ids, 0), n_vocab - 1)
        for first in range(0, size, UNITS):
            units = first + tl.arange(0, UNITS)
            unit_ok = units < size
            sum_r = tl.zeros([ROWS, UNITS], tl.float32)
            sum_z = tl.zeros([ROWS, UNITS], tl.float32)
            sum_n = tl.zeros([ROWS, UNITS], tl.float32)
            for k in range(0, size, DEPTH):
                depth = k + tl.arange(0, DEPTH)
                inside = active[:, None] & (depth < size)[None, :]
                h = _states_before(states_ptr, h0_ptr, step, depth, inside, n_steps, size, ROWS)
                at = units[None, :] * size + depth[:, None]
                inside = unit_ok[None, :] & (depth < size)[:, None]
                weight_r = tl.load(weight_ptr + at, mask=inside, other=0.0)  # [DEPTH, UNITS]
                weight_z = tl.load(weight_ptr + size * size + at, mask=inside, other=0.0)
                weight_n = tl.load(weight_ptr + 2 * size * size + at, mask=inside, other=0.0)
                sum_r = tl.dot(h, weight_r, sum_r, input_precision="ieee")
                sum_z = tl.dot(h, weight_z, sum_z, input_precision="ieee")
                sum_n = tl.dot(h, weight_n, sum_n, input_precision="ieee")
            inside = active[:, None] & unit_ok[None, :]
            entry = table_ptr + ids[:, None] * 3 * size + units[None, :]
            bias = bias_ptr + units
            sum_r += tl.load(bias, mask=unit_ok, other=0.0)[None, :]
            sum_z += tl.load(bias + size, mask=unit_ok, other=0.0)[None, :]
            sum_n += tl.load(bias + 2 * size, mask=unit_ok, other=0.0)[None, :]
            r = _sigmoid(sum_r + tl.load(entry, mask=inside, other=0.0))
            z = _sigmoid(sum_z + tl.load(entry + size, mask=inside, other=0.0))
            n = _tanh(tl.load(entry + 2 * size, mask=inside, other=0.0) + r * sum_n)
            h = _states_before(states_ptr, h0_ptr, step, units, inside, n_steps, size, ROWS)
            h = n + z * (h - n)
            at = rows[:, None] * n_steps + step
            tl.store(states_ptr + at * size + units[None, :], h, mask=inside)
            ends = inside & (step == lengths - 1)[:, None]
            tl.store(last_ptr + rows[:, None] * size + units[None, :], h, mask=ends)
            if gates_ptr is not None:
                saved = gates_ptr + at * 4 * size + units[None, :]
                tl.store(saved, r, mask=inside)
                tl.store(saved + size, z, mask=inside)
                tl.store(saved + 2 * size, n, mask=inside)
                tl.store(saved + 3 * size, sum_n, mask=inside)
        tl.debug_barrier()


@triton.jit
def gru_scan_bwd_kernel(
    weight_ptr,
    h0_ptr,
    lengths_ptr,
    states_ptr,
    gates_ptr,
    grad_states_ptr,
    grad_ptr,
    before_gates_ptr,
    n_rows,
    n_steps,
    size,
    stride_row,
    stride_step,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """From the gradients ``grad`` [B, N] of the last states to those of h0, in place; on the way those of the
    gates (r, z, the hidden and the input side of n), 4 N numbers a row and step."""
    start, lengths = _rows_and_lengths(lengths_ptr, n_rows, n_steps, ROWS)
    rows = tl.arange(0, ROWS)
    states_ptr += start * n_steps * size
    gates_ptr += start * n_steps * 4 * size
    grad_ptr += start * size
    before_gates_ptr += start * stride_row
    if h0_ptr is not None:
        h0_ptr += start * size
    if grad_states_ptr is not None:
        grad_states_ptr += start * n_steps * size
    for step in range(tl.max(lengths, 0) - 1, -1, -1):
        active = step < lengths
        to_gates = before_gates_ptr + rows[:, None] * stride_row + step * stride_step
        for first in range(0, size, UNITS):
            units = first + tl.arange(0, UNITS)
            inside = active[:, None] & (units < size)[None, :]
            at = rows[:, None] * n_steps + step
            saved = gates_ptr + at * 4 * size + units[None, :]
            r = tl.load(saved, mask=inside, other=0.0)
            z = tl.load(saved + size, mask=inside, other=0.0)
            n = tl.load(saved + 2 * size, mask=inside, other=0.0)
            side = tl.load(saved + 3 * size, mask=inside, other=0.0)
            h = _states_before(states_ptr, h0_ptr, step, units, inside, n_steps, size, ROWS)
            carried = grad_ptr + rows[:, None] * size + units[None, :]
            grad = tl.load(carried, mask=inside, other=0.0)
            if grad_states_ptr is not None:
                grad += tl.load(grad_states_ptr + at * size + units[None, :], mask=inside, other=0.0)
            to_n = grad * (1.0 - z) * (1.0 - n * n)
            to_z = grad * (h - n) * z * (1.0 - z)
            to_r = to_n * side * r * (1.0 - r)
            tl.store(carried, grad * z, mask=inside)
            tl.store(to_gates + units[None, :], to_r, mask=inside)
            tl.store(to_gates + size + units[None, :], to_z, mask=inside)
            tl.store(to_gates + 2 * size + units[None, :], to_n * r, mask=inside)
            tl.store(to_gates + 3 * size + units[None, :], to_n, mask=inside)
        tl.debug_barrier()
        for first in range(0, size, UNITS):
            units = first + tl.arange(0, UNITS)
            unit_ok = units < size
            inside = active[:, None] & unit_ok[None, :]
            carried = grad_ptr + rows[:, None] * size + units[None, :]
            grad = tl.load(carried, mask=inside, other=0.0)
            for k in range(0, 3 * size, DEPTH):
                depth = k + tl.arange(0, DEPTH)
                depth_ok = depth < 3 * size
                through = tl.load(
                    to_gates + depth[None, :], mask=active[:, None] & depth_ok[None, :], other=0.0
                )  # [ROWS, DEPTH]
                weight = tl.load(
                    weight_ptr + depth[:, None] * size + units[None, :],
                    mask=depth_ok[:, None] & unit_ok[None, :],
                    other=0.0,
                )  # [DEPTH, UNITS]
                grad = tl.dot(through, weight, grad, input_precision="ieee")
            tl.store(carried, grad, mask=inside)
        tl.debug_barrier()


def forward(
    table: Tensor,
    ids: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    states: Tensor,
    last: Tensor,
    gates: Tensor,
) -> None:
    """Write into the last three; gates of size 0 are not kept. Arguments as :func:`pyfastlm.ops.gru_scan`."""
    rows, steps = ids.shape
    if lengths is not None:
        states.zero_()
        last.zero_() if h0 is None else last.copy_(h0)  # of rows without steps
    elif steps == 0:
        last.zero_() if h0 is None else last.copy_(h0)
    if rows == 0 or steps == 0:
        return
    with torch.cuda.device_of(table):
        gru_scan_fwd_kernel[(triton.cdiv(rows, ROWS),)](
            table,
            ids,
            weight_hh,
            bias_hh,
            h0,
            lengths,
            states,
            last,
            gates if gates.numel() else None,
            rows,
            steps,
            len(table),
            weight_hh.shape[1],
            ROWS=ROWS,
            UNITS=UNITS,
            DEPTH=DEPTH,
            num_warps=WARPS,
            num_stages=STAGES,
        )


def backward(
    grad_states: Tensor | None,
    grad_last: Tensor | None,
    ids: Tensor,
    weight_hh: Tensor,
    h0: Tensor | None,
    lengths: Tensor | None,
    states: Tensor,
    gates: Tensor,
    vocab: int,
    grad_table: bool,
    grad_weight: bool,
    grad_bias: bool,
    grad_h0: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of table, weight, bias and h0; None where not asked for."""
    rows, steps = ids.shape
    wide, size = weight_hh.shape
    kept = steps if grad_table or grad_weight or grad_bias else 1
    before_gates = torch.empty((rows, kept, 4 * size), dtype=states.dtype, device=states.device)
    if lengths is not None and kept == steps:
        before_gates.zero_()  # rows past their length add nothing
    grad = torch.empty((rows, size), dtype=states.dtype, device=states.device)
    grad.zero_() if grad_last is None else grad.copy_(grad_last)
    if rows and steps:
        with torch.cuda.device_of(states):
            gru_scan_bwd_kernel[(triton.cdiv(rows, ROWS),)](
                weight_hh,
                h0,
                lengths,
                states,
                gates,
                grad_states,
                grad,
                before_gates,
                rows,
                steps,
                size,
                kept * 4 * size,
                4 * size if kept == steps else 0,
                ROWS=ROWS,
                UNITS=UNITS,
                DEPTH=DEPTH_BACK,
                num_warps=WARPS,
                num_stages=STAGES,
            )
    flat = before_gates.view(-1, 4 * size)
    return (
        _by_id(ids, flat, vocab) if grad_table else None,
        flat[:, :wide].T @ _all_before(states, h0) if grad_weight else None,
        flat[:, :wide].sum(0) if grad_bias else None,
        grad if grad_h0 else None,
    )


def _by_id(ids: Tensor, before_gates: Tensor, vocab: int) -> Tensor:
    """Sums [V, 3N] over the steps of each id: of r, z and the input side of n."""
    size = before_gates.shape[1] // 4
    known = torch.arange(vocab, device=ids.device)[:, None] == ids.view(-1).clamp(0, vocab - 1)
    sums = known.to(before_gates.dtype) @ before_gates
    return torch.cat([sums[:, : 2 * size], sums[:, 3 * size :]], dim=1)


def _all_before(states: Tensor, h0: Tensor | None) -> Tensor:
    """The states [B * T, N] before every step."""
    first = states.new_zeros(len(states), states.shape[2]) if h0 is None else h0
    return torch.cat([first[:, None], states], dim=1)[:, :-1].flatten(0, 1)
