"""Triton kernels and launchers of ``varlen_attention``: packed sequences, T5's bias by distance, key bias.

Method. FlashAttention-2 (Dao, 2023): a program holds one block of queries of one sequence and head, walks
the keys of that sequence tile by tile, and keeps an online softmax; no score leaves the registers. softmax1
is its starting point: maximum 0 and sum 1 in place of -inf and 0. The bias by distance comes out of the
table of 2R+1 entries inside the tile: one scalar where all distances of the tile are at most -R or at least
R, else one entry for each score. Causality bounds the walk, so tiles after the last visible key cost nothing.

The backward pass recomputes the scores and needs no atomics: ``varlen_attention_dq_kernel`` walks the keys
for a block of queries (and writes delta = rowsum(grad_out * out)), ``varlen_attention_dkdv_kernel`` walks the
queries for a block of keys and sums what each key's bias gets. Where the table wants its gradient,
``varlen_attention_dtable_kernel`` walks them once more and sums by distance, in registers: one row of 2R+1
sums a program, which torch adds. The order of every sum depends on the sequence alone, so that results are
reproducible.

Roofline on paper (dense peak rates of the vendor's data sheets: A100 80GB 312 TFLOP/s bf16, 19.5 TFLOP/s
fp32, 2.0 TB/s; H100 SXM 989, 67, 3.35), H heads of D numbers, sequences of L queries and keys, N rows:

- forward: 4 N L H D FLOP; 4 N H D elements at best (q, k, v, out). At N 8,192, L 1,024, H 6, D 64 (ByT5
  small) in bf16 that is 12.9 GFLOP and 25 MB: 0.041 ms of tensor cores against 0.013 ms of memory on A100,
  0.013 against 0.008 on H100. L / 2 FLOP per byte: above the ridge (156 and 295 FLOP/byte) from L of about
  300 and 600 on, below it bound by memory.
- the softmax: one exponential and about eight fp32 instructions for each of the N L H = 50 M scores. At 16
  exponentials a clock and multiprocessor 0.021 ms on A100 and 0.013 on H100, and as much again for the rest.
  D is small: the softmax costs as much as the product on A100, and on H100 it is the limit. A near tile
  (distances within R) adds a load from L1 and four instructions for each score.
- backward: 14 N L H D FLOP (7 products against 5 with atomics on dq: the price of a fixed order), 0.14 ms on
  A100 and 0.046 on H100 here, and two exponentials for each score; bound by the product.
- the gradient of the table: 4 N L H D FLOP more, a third exponential, and for each score of a near tile 2 to
  3 reads of shared memory; positions with holes add a product with a one-hot matrix for each stretch of
  positions. The rows of sums are 2R+1 floats for each block of keys and head: an eighth of the size of k at
  R 128 and bf16.
- fp32 inputs run on the fp32 units, all 24 bits of them: 0.66 ms forward on A100, 0.19 on H100.

Limits: heads of at most 256 numbers, 128 in float32; positions between -2**29 and 2**29; the code for the
gradient of the table grows with R, whose use is some hundreds; gradients of scores below 6e-8 are lost in
float16, so scale the loss as usual there.

No GPU speed has been measured. What is checked without a GPU: results against float64 in Triton's
interpreter (float32 and float16), and registers, spills and shared memory by the ahead-of-time gate.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels._attention import (
    COUNTS,
    Inputs,
    _end_of_keys,
    _load_rows,
    _positions,
    _scores,
    _store_rows,
)
from pyfastlm.kernels._sequences import _locate, slots
from pyfastlm.kernels.varlen_attention_backward import backward

__all__ = ["backward", "forward"]

LN2 = tl.constexpr(0.6931471805599453)


@triton.jit(do_not_specialize=COUNTS)
def varlen_attention_fwd_kernel(
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
    out_ptr,
    lse_ptr,
    SOFTMAX1: tl.constexpr,
    CAUSAL: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Result and log-sum-exp of one block of queries and one head; grid (slots of queries, H)."""
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
    q = _load_rows(q_ptr + head * stride_q_head, first_q, end_q, stride_q, BLOCK_Q, DIM, BLOCK_DIM)
    position_q, low_q, high_q = _positions(positions_q_ptr, first_q, start_q, end_q, BLOCK_Q)

    if SOFTMAX1:
        top = tl.zeros([BLOCK_Q], tl.float32)
        total = tl.full([BLOCK_Q], 1.0, tl.float32)
    else:
        top = tl.full([BLOCK_Q], float("-inf"), tl.float32)
        total = tl.zeros([BLOCK_Q], tl.float32)
    acc = tl.zeros([BLOCK_Q, BLOCK_DIM], tl.float32)
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
        new_top = tl.maximum(top, tl.max(z, 1))
        shift = tl.where(new_top == float("-inf"), 0.0, new_top)  # -inf - -inf is not a number
        p = tl.exp2(z - shift[:, None])
        decay = tl.exp2(top - shift)
        total = total * decay + tl.sum(p, 1)
        v = _load_rows(v_ptr, first_k, end_k, stride_v, BLOCK_K, DIM, BLOCK_DIM)
        acc = tl.dot(p.to(v.dtype), v, acc * decay[:, None], input_precision="ieee")
        top = new_top

    acc *= (1.0 / tl.where(total == 0.0, 1.0, total))[:, None]
    _store_rows(out_ptr, acc, first_q, end_q, DIM)
    tl.store(lse_ptr + head * n_queries + rows, top * LN2 + tl.log(total), mask=rows < end_q)


def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
    """Attention of packed sequences.

    Args:
        inputs: the arguments of :class:`Inputs`: float32, bfloat16 or float16, checked by the caller.

    Returns:
        The result [Nq, H, Dh] in the dtype of q, zeros where a query sees no key, and the logarithm of the
        sums [H, Nq] in float32 (nats), there -inf.

    Raises:
        ValueError: the heads are too wide.
    """
    given = Inputs(*inputs).in_rows()
    q = given.q
    n, heads, _ = q.shape
    blocks = given.blocks("fwd")
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    lse = torch.empty((heads, n), dtype=torch.float32, device=q.device)
    if n > 0:
        with torch.cuda.device_of(q):
            varlen_attention_fwd_kernel[(slots(n, given.sequences, blocks.queries), heads)](
                *given.arguments(), out, lse, SOFTMAX1=given.softmax1, **given.constants(blocks)
            )
    return out, lse
