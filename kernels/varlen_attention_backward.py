"""Backward pass of ``varlen_attention``: Triton kernels and launcher.

:mod:`pyfastlm.kernels.varlen_attention` has the method and the roofline.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels._attention import (
    COUNTS,
    LOG2E,
    Blocks,
    Inputs,
    _end_of_keys,
    _first_query,
    _load_rows,
    _positions,
    _scores,
    _store_rows,
    table_of,
)
from pyfastlm.kernels._sequences import _locate, slots

NOWHERE = tl.constexpr(2**30)  # past every position


@triton.jit(do_not_specialize=COUNTS)
def varlen_attention_dq_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    starts_q_ptr,
    starts_k_ptr,
    positions_q_ptr,
    positions_k_ptr,
    table_ptr,
    key_bias_ptr,
    n_queries,
    n_keys,
    n_sequences,
    radius,
    stride_q,
    stride_q_head,
    stride_k,
    stride_k_head,
    stride_v,
    stride_v_head,
    scale,
    lse_ptr,
    grad_out_ptr,
    delta_ptr,
    out_ptr,
    dq_ptr,
    CAUSAL: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Gradient of one block of queries and one head, and delta [H, Nq]; grid (slots of queries, H)."""
    sequence, first_q, start_q, end_q = _locate(tl.program_id(0), starts_q_ptr, n_sequences, BLOCK_Q)
    if first_q >= end_q:
        return
    start_k = tl.load(starts_k_ptr + sequence)
    end_k = tl.load(starts_k_ptr + sequence + 1)
    head = tl.program_id(1).to(tl.int64)
    k_ptr += head * stride_k_head
    v_ptr += head * stride_v_head
    if table_ptr is not None:
        table_ptr += head * (2 * radius + 1)
    rows = first_q + tl.arange(0, BLOCK_Q)
    row_ok = rows < end_q
    q = _load_rows(q_ptr + head * stride_q_head, first_q, end_q, stride_q, BLOCK_Q, DIM, BLOCK_DIM)
    stride_out = tl.num_programs(1) * DIM
    grad_out = _load_rows(grad_out_ptr + head * DIM, first_q, end_q, stride_out, BLOCK_Q, DIM, BLOCK_DIM)
    out = _load_rows(out_ptr + head * DIM, first_q, end_q, stride_out, BLOCK_Q, DIM, BLOCK_DIM)
    delta = tl.sum(out.to(tl.float32) * grad_out.to(tl.float32), 1)
    tl.store(delta_ptr + head * n_queries + rows, delta, mask=row_ok)
    lse = tl.load(lse_ptr + head * n_queries + rows, mask=row_ok, other=float("inf"))
    lse = tl.where(lse == float("-inf"), 0.0, lse) * LOG2E
    position_q, low_q, high_q = _positions(positions_q_ptr, first_q, start_q, end_q, BLOCK_Q)

    dq = tl.zeros([BLOCK_Q, BLOCK_DIM], tl.float32)
    for first_k in range(start_k, _end_of_keys(positions_k_ptr, start_k, end_k, high_q, CAUSAL), BLOCK_K):
        keys = first_k + tl.arange(0, BLOCK_K)
        position_k, low_k, high_k = _positions(positions_k_ptr, first_k, start_k, end_k, BLOCK_K)
        key_bias = None
        if key_bias_ptr is not None:
            key_bias = tl.load(key_bias_ptr + keys, mask=keys < end_k, other=0.0).to(tl.float32)[None, :]
        k = _load_rows(k_ptr, first_k, end_k, stride_k, BLOCK_K, DIM, BLOCK_DIM)
        z = _scores(
            tl.dot(q, tl.trans(k), input_precision="ieee"),  # [BQ, BK]
            scale,
            position_k[None, :] - position_q[:, None],
            low_k - high_q,
            high_k - low_q,
            table_ptr,
            radius,
            key_bias,
            (keys < end_k)[None, :],
            CAUSAL,
        )
        v = _load_rows(v_ptr, first_k, end_k, stride_v, BLOCK_K, DIM, BLOCK_DIM)
        slopes = tl.dot(grad_out, tl.trans(v), input_precision="ieee") - delta[:, None]
        slopes *= tl.exp2(z - lse[:, None])
        dq = tl.dot(slopes.to(k.dtype), k, dq, input_precision="ieee")
    _store_rows(dq_ptr, dq * scale, first_q, end_q, DIM)


@triton.jit
def _slopes(
    q_ptr,
    grad_out_ptr,
    lse_ptr,
    delta_ptr,
    positions_q_ptr,
    table_ptr,
    k,
    v,
    key_bias,
    key_ok,
    position_k,
    low_k,
    high_k,
    first_q,
    start_q,
    end_q,
    radius,
    stride_q,
    scale,
    CAUSAL: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_Q: tl.constexpr,
):
    """Queries and their upstream gradients [BQ, D] against a block of keys: probabilities and slopes of the
    scores [BK, BQ]; positions of the queries, the least and the greatest."""
    BLOCK_DIM: tl.constexpr = k.shape[1]
    rows = first_q + tl.arange(0, BLOCK_Q)
    position_q, low_q, high_q = _positions(positions_q_ptr, first_q, start_q, end_q, BLOCK_Q)
    q = _load_rows(q_ptr, first_q, end_q, stride_q, BLOCK_Q, DIM, BLOCK_DIM)
    z = _scores(
        tl.dot(k, tl.trans(q), input_precision="ieee"),
        scale,
        position_k[:, None] - position_q[None, :],
        low_k - high_q,
        high_k - low_q,
        table_ptr,
        radius,
        key_bias,
        key_ok,
        CAUSAL,
    )
    lse = tl.load(lse_ptr + rows, mask=rows < end_q, other=float("inf"))
    p = tl.exp2(z - (tl.where(lse == float("-inf"), 0.0, lse) * LOG2E)[None, :])
    grad_out = _load_rows(grad_out_ptr, first_q, end_q, tl.num_programs(1) * DIM, BLOCK_Q, DIM, BLOCK_DIM)
    delta = tl.load(delta_ptr + rows, mask=rows < end_q, other=0.0)
    slopes = p * (tl.dot(v, tl.trans(grad_out), input_precision="ieee") - delta[None, :])
    return q, grad_out, p, slopes, position_q, low_q, high_q


@triton.jit(do_not_specialize=COUNTS)
def varlen_attention_dkdv_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    starts_q_ptr,
    starts_k_ptr,
    positions_q_ptr,
    positions_k_ptr,
    table_ptr,
    key_bias_ptr,
    n_queries,
    n_keys,
    n_sequences,
    radius,
    stride_q,
    stride_q_head,
    stride_k,
    stride_k_head,
    stride_v,
    stride_v_head,
    scale,
    lse_ptr,
    grad_out_ptr,
    delta_ptr,
    dk_ptr,
    dv_ptr,
    dkey_bias_ptr,
    CAUSAL: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Gradients of one block of keys and values and one head, and what each key's bias gets of that head,
    ``dkey_bias`` [H, Nk]; grid (slots of keys, H)."""
    sequence, first_k, start_k, end_k = _locate(tl.program_id(0), starts_k_ptr, n_sequences, BLOCK_K)
    if first_k >= end_k:
        return
    start_q = tl.load(starts_q_ptr + sequence)
    end_q = tl.load(starts_q_ptr + sequence + 1)
    head = tl.program_id(1).to(tl.int64)
    q_ptr += head * stride_q_head
    k_ptr += head * stride_k_head
    v_ptr += head * stride_v_head
    grad_out_ptr += head * DIM
    lse_ptr += head * n_queries
    delta_ptr += head * n_queries
    if table_ptr is not None:
        table_ptr += head * (2 * radius + 1)
    keys = first_k + tl.arange(0, BLOCK_K)
    key_ok = keys < end_k
    k = _load_rows(k_ptr, first_k, end_k, stride_k, BLOCK_K, DIM, BLOCK_DIM)
    v = _load_rows(v_ptr, first_k, end_k, stride_v, BLOCK_K, DIM, BLOCK_DIM)
    position_k, low_k, high_k = _positions(positions_k_ptr, first_k, start_k, end_k, BLOCK_K)
    key_bias = None
    if key_bias_ptr is not None:
        key_bias = tl.load(key_bias_ptr + keys, mask=key_ok, other=0.0).to(tl.float32)[:, None]

    dk = tl.zeros([BLOCK_K, BLOCK_DIM], tl.float32)
    dv = tl.zeros([BLOCK_K, BLOCK_DIM], tl.float32)
    dkey_bias = tl.zeros([BLOCK_K], tl.float32)
    for first_q in range(_first_query(positions_q_ptr, start_q, end_q, low_k, CAUSAL), end_q, BLOCK_Q):
        q, grad_out, p, slopes, _, _, _ = _slopes(
            q_ptr,
            grad_out_ptr,
            lse_ptr,
            delta_ptr,
            positions_q_ptr,
            table_ptr,
            k,
            v,
            key_bias,
            key_ok[:, None],
            position_k,
            low_k,
            high_k,
            first_q,
            start_q,
            end_q,
            radius,
            stride_q,
            scale,
            CAUSAL,
            DIM,
            BLOCK_Q,
        )
        dv = tl.dot(p.to(q.dtype), grad_out, dv, input_precision="ieee")
        dk = tl.dot(slopes.to(q.dtype), q, dk, input_precision="ieee")
        if dkey_bias_ptr is not None:
            dkey_bias += tl.sum(slopes, 1)
    _store_rows(dk_ptr, dk * scale, first_k, end_k, DIM)
    _store_rows(dv_ptr, dv, first_k, end_k, DIM)
    if dkey_bias_ptr is not None:
        tl.store(dkey_bias_ptr + head * n_keys + keys, dkey_bias, mask=key_ok)


@triton.jit
def _add_by_distance(sums, slopes, position_k, base, low, high, radius):
    """Add slopes [BK, BQ], whose columns are queries at positions base, base + 1, ..., to their distances.

    ``sums`` [CHUNKS, BQ] holds the distances 1 - radius, 2 - radius, ... row by row; those of the tile lie
    between ``low`` and ``high``. Each distance picks one column of every row.
    """
    CHUNKS: tl.constexpr = sums.shape[0]
    WIDTH: tl.constexpr = sums.shape[1]
    for chunk in tl.static_range(CHUNKS):
        least = chunk * WIDTH + 1 - radius
        if (least <= high) & (least + WIDTH > low):
            distance = least + tl.arange(0, WIDTH)
            column = position_k[:, None] - distance[None, :] - base
            ok = (column >= 0) & (column < WIDTH) & (distance < radius)[None, :]
            picked = tl.gather(slopes, tl.minimum(tl.maximum(column, 0), WIDTH - 1), 1)
            part = tl.sum(tl.where(ok, picked, 0.0), 0)
            sums += tl.where((tl.arange(0, CHUNKS) == chunk)[:, None], part[None, :], 0.0)
    return sums


@triton.jit(do_not_specialize=COUNTS)
def varlen_attention_dtable_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    starts_q_ptr,
    starts_k_ptr,
    positions_q_ptr,
    positions_k_ptr,
    table_ptr,
    key_bias_ptr,
    n_queries,
    n_keys,
    n_sequences,
    radius,
    stride_q,
    stride_q_head,
    stride_k,
    stride_k_head,
    stride_v,
    stride_v_head,
    scale,
    lse_ptr,
    grad_out_ptr,
    delta_ptr,
    dtable_ptr,
    CAUSAL: tl.constexpr,
    CHUNKS: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """What the table gets of one block of keys and one head; grid (slots of keys, H).

    ``dtable`` [H, slots, 2R+1] has a row for each program. CHUNKS BLOCK_Q is at least 2R-1.
    """
    sequence, first_k, start_k, end_k = _locate(tl.program_id(0), starts_k_ptr, n_sequences, BLOCK_K)
    if first_k >= end_k:
        return
    start_q = tl.load(starts_q_ptr + sequence)
    end_q = tl.load(starts_q_ptr + sequence + 1)
    head = tl.program_id(1).to(tl.int64)
    q_ptr += head * stride_q_head
    k_ptr += head * stride_k_head
    v_ptr += head * stride_v_head
    grad_out_ptr += head * DIM
    lse_ptr += head * n_queries
    delta_ptr += head * n_queries
    table_ptr += head * (2 * radius + 1)
    keys = first_k + tl.arange(0, BLOCK_K)
    key_ok = keys < end_k
    k = _load_rows(k_ptr, first_k, end_k, stride_k, BLOCK_K, DIM, BLOCK_DIM)
    v = _load_rows(v_ptr, first_k, end_k, stride_v, BLOCK_K, DIM, BLOCK_DIM)
    position_k, low_k, high_k = _positions(positions_k_ptr, first_k, start_k, end_k, BLOCK_K)
    key_bias = None
    if key_bias_ptr is not None:
        key_bias = tl.load(key_bias_ptr + keys, mask=key_ok, other=0.0).to(tl.float32)[:, None]
    PRECISION: tl.constexpr = "ieee" if k.dtype == tl.float32 else "tf32"

    before = tl.zeros([BLOCK_K], tl.float32)  # distances of at most -radius
    after = tl.zeros([BLOCK_K], tl.float32)  # of at least radius
    between = tl.zeros([CHUNKS, BLOCK_Q], tl.float32)
    for first_q in range(_first_query(positions_q_ptr, start_q, end_q, low_k, CAUSAL), end_q, BLOCK_Q):
        _, _, _, slopes, position_q, low_q, high_q = _slopes(
            q_ptr,
            grad_out_ptr,
            lse_ptr,
            delta_ptr,
            positions_q_ptr,
            table_ptr,
            k,
            v,
            key_bias,
            key_ok[:, None],
            position_k,
            low_k,
            high_k,
            first_q,
            start_q,
            end_q,
            radius,
            stride_q,
            scale,
            CAUSAL,
            DIM,
            BLOCK_Q,
        )
        if high_k - low_q <= -radius:
            before += tl.sum(slopes, 1)
        elif low_k - high_q >= radius:
            after += tl.sum(slopes, 1)
        else:
            distance = position_k[:, None] - position_q[None, :]
            before += tl.sum(tl.where(distance <= -radius, slopes, 0.0), 1)
            after += tl.sum(tl.where(distance >= radius, slopes, 0.0), 1)
            if positions_q_ptr is None:
                between = _add_by_distance(
                    between, slopes, position_k, low_q, low_k - high_q, high_k - low_q, radius
                )
            else:
                # Bring the columns into the order of positions, one stretch of them after the other.
                base = tl.min(tl.where(position_q > low_k - radius, position_q, NOWHERE))
                while base < high_k + radius:
                    places = position_q[:, None] == base + tl.arange(0, BLOCK_Q)[None, :]
                    between = _add_by_distance(
                        between,
                        tl.dot(slopes, places.to(tl.float32), input_precision=PRECISION),
                        position_k,
                        base,
                        low_k - base - BLOCK_Q + 1,
                        high_k - base,
                        radius,
                    )
                    base = tl.min(tl.where(position_q >= base + BLOCK_Q, position_q, NOWHERE))

    dtable_ptr += (head * tl.num_programs(0) + tl.program_id(0)) * (2 * radius + 1)
    entry = 1 + tl.arange(0, CHUNKS)[:, None] * BLOCK_Q + tl.arange(0, BLOCK_Q)[None, :]
    tl.store(dtable_ptr, tl.sum(before))
    tl.store(dtable_ptr + entry, between, mask=entry < 2 * radius)
    tl.store(dtable_ptr + 2 * radius, tl.sum(after))


def backward(grad_out: Tensor, out: Tensor, lse: Tensor, *arguments: Any) -> list[Tensor | None]:
    """Gradients of q, k, v and, where the last two arguments ask for them, of the biases, in their dtypes.

    Args:
        grad_out: [Nq, H, Dh] in the dtype of q.
        out, lse: what :func:`forward` returns.
        arguments: those of :class:`Inputs`, then whether the gradients of rel_bias and key_bias are wanted.
    """
    *inputs, grad_rel_bias, grad_key_bias = arguments
    given = Inputs(*inputs).in_rows()
    q, k, rel_bias = given.q, given.k, given.rel_bias
    heads = q.shape[1]

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=q.device)

    dq, dk, dv = (empty(*x.shape, dtype=x.dtype) for x in given[:3])
    delta = empty(heads, len(q))
    by_key = empty(heads, len(k)) if grad_key_bias else None
    blocks = given.blocks("dkdv")
    n_slots = slots(len(k), given.sequences, blocks.keys)
    by_program = None
    if grad_rel_bias and rel_bias is not None:  # zeros: a slot past the end of its sequence writes nothing
        entries = len(table_of(rel_bias))
        by_program = torch.zeros(heads, n_slots, entries, dtype=torch.float32, device=q.device)
    common, state = given.arguments(), [lse.contiguous(), grad_out.contiguous(), delta]
    constants = given.constants(blocks)
    with torch.cuda.device_of(q):
        if len(q):
            rows = given.blocks("dq")
            varlen_attention_dq_kernel[(slots(len(q), given.sequences, rows.queries), heads)](
                *common, *state, out.contiguous(), dq, **given.constants(rows)
            )
        if len(k):
            varlen_attention_dkdv_kernel[(n_slots, heads)](*common, *state, dk, dv, by_key, **constants)
        if len(k) and by_program is not None:
            varlen_attention_dtable_kernel[(n_slots, heads)](
                *common, *state, by_program, CHUNKS=chunks(entries, blocks), **constants
            )
    d_rel_bias = d_key_bias = None
    if by_program is not None and rel_bias is not None:
        d_table = by_program.sum(1, dtype=torch.float64).t()  # entries of opposite signs cancel
        d_table = d_table.sum(0, keepdim=True) if len(rel_bias) == 1 else d_table
        d_rel_bias = d_table.to(rel_bias.dtype).contiguous()
    if by_key is not None and given.key_bias is not None:
        d_key_bias = by_key.sum(0).to(given.key_bias.dtype)
    return [dq, dk, dv, d_rel_bias, d_key_bias]


def chunks(entries: int, blocks: Blocks) -> int:
    """Rows of ``blocks.queries`` sums for the distances between the ends of a table of ``entries``."""
    rows: int = triton.next_power_of_2(max(1, triton.cdiv(entries - 2, blocks.queries)))
    return rows
