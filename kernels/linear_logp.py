"""Triton kernels and launchers of ``linear_logp``: log-probabilities of targets without the logits.

Method. ``linear_logp_fwd_kernel`` gives every program one block of rows and one range of the vocabulary.
It walks the range tile by tile: a [BLOCK_ROWS, BLOCK_VOCAB] tile of logits lives in registers only, and
what stays of it is the online log-sum-exp (maximum and sum), the target's logit out of the very same
tile, and on request the best index and the first moment for the entropy. ``linear_logp_combine_kernel``
merges the ranges in a fixed order: no atomics, no locks. The length of a range depends on nothing but
``VOCAB_PER_SPLIT``, so a row's result does not depend on how many other rows are in the batch.

The backward pass recomputes logits chunk by chunk: ``linear_logp_dlogits_kernel`` writes the gradient of
one [rows, vocabulary] chunk into a bounded workspace, and plain matrix products of the vendor's library
turn that chunk into gradients. Sums over chunks run in float32, in a fixed order.

Roofline on paper (dense peak rates of the vendor's data sheets: A100 80GB 312 TFLOP/s bf16, 19.5 TFLOP/s
fp32, 2.0 TB/s; H100 SXM 989, 67, 3.35). With N rows, width D and vocabulary V:

- forward: 2 N D V FLOP; N D + V D elements read once at best, and 12-24 bytes per row and range of 1,024
  entries written and read again. At N 2,048, D 576, V 49,152 in bf16 that is 116 GFLOP and 61 MB:
  0.37 ms of tensor cores against 0.03 ms of memory on A100, 0.12 against 0.02 on H100. N FLOP per byte of
  weight pass the ridge (156 and 295 FLOP/byte) from a few hundred rows on: bound by the matrix product;
  below that, by one read of the weight.
- the softmax behind a tile costs about ten fp32 instructions and one exponential for each of the 0.1 G
  logits: near 0.1 ms on A100 and 0.05 ms on H100 if nothing overlaps. Noticeable because D is small here;
  about a tenth of the product at D 2,048.
- fp32 inputs run at the fp32 rate (see ``_logits``): 5.9 ms on A100, 1.7 ms on H100.
- backward: 2 N D V to recompute and 2 N D V for each of the two gradients, and the workspace written once
  and read twice (3 x 201 MB in bf16 here: 0.3 ms on A100, 0.18 on H100). Bound by the products.

No GPU speed has been measured. What is checked without a GPU: results against float64 in Triton's
interpreter (float32 and float16), and registers, spills and shared memory by the ahead-of-time gate.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels._logits import FP_FUSION, GROUP_ROWS, IGNORE, _logits, blocks_for
from pyfastlm.kernels.linear_logp_backward import backward

__all__ = ["backward", "forward"]

VOCAB_PER_SPLIT = 1024
"""Vocabulary entries per program of the forward pass; a multiple of every ``Blocks.vocab``."""

# Chosen as the other configurations, by the gate.
COMBINE_SPLITS, COMBINE_ROWS, COMBINE_WARPS, COMBINE_STAGES = 64, 32, 4, 1


@triton.jit
def linear_logp_fwd_kernel(
    hidden_ptr,
    weight_ptr,
    bias_ptr,
    targets_ptr,
    top_ptr,
    total_ptr,
    target_logit_ptr,
    moment_ptr,
    best_ptr,
    index_ptr,
    n_rows,
    n_vocab,
    depth,
    stride_hidden,
    stride_weight,
    logit_scale,
    softcap,
    WIDEN: tl.constexpr,
    SPLIT: tl.constexpr,
    GROUP_ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_VOCAB: tl.constexpr,
    BLOCK_DEPTH: tl.constexpr,
):
    """Partial results [splits, N] of one row block over one vocabulary range of ``SPLIT`` entries.

    ``top`` is the maximum m, ``total`` the sum of exp(z - m), ``target_logit`` the target's logit or 0,
    ``moment`` the sum of (z - m) exp(z - m), ``best`` and ``index`` the largest logit and where it is first.
    """
    # Row blocks run fastest within a group: neighbours share one range of the weight, and the group's
    # hidden states (32 blocks of 128 rows: 4,096 D elements) stay in L2 while the weight streams by.
    pid = tl.program_id(0)
    n_splits = tl.cdiv(n_vocab, SPLIT)
    row_block, split = tl.swizzle2d(
        pid // n_splits, pid % n_splits, tl.cdiv(n_rows, BLOCK_ROWS), n_splits, GROUP_ROWS
    )
    rows = row_block * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    row_ok = rows < n_rows
    # Half the registers of int64; the combining kernel tells targets that do not fit from real ones.
    target = tl.load(targets_ptr + rows, mask=row_ok, other=IGNORE).to(tl.int32)
    first = split * SPLIT

    top = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_ROWS], tl.float32)
    target_logit = tl.zeros([BLOCK_ROWS], tl.float32)
    moment = tl.zeros([BLOCK_ROWS], tl.float32)
    best = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    index = tl.zeros([BLOCK_ROWS], tl.int32) + first
    for start in range(first, tl.minimum(first + SPLIT, n_vocab), BLOCK_VOCAB):
        cols = start + tl.arange(0, BLOCK_VOCAB)
        z = _logits(
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
            WIDEN,
            BLOCK_ROWS,
            BLOCK_VOCAB,
            BLOCK_DEPTH,
        )
        z = tl.where((cols < n_vocab)[None, :], z, float("-inf"))
        target_logit += tl.sum(tl.where(cols[None, :] == target[:, None], z, 0.0), 1)

        new_top = tl.maximum(top, tl.max(z, 1))
        shift = tl.where(new_top == float("-inf"), 0.0, new_top)  # -inf - -inf is not a number
        e = tl.exp(z - shift[:, None])
        decay = tl.exp(top - shift)
        if moment_ptr is not None:
            old = tl.where(total == 0.0, 0.0, total * (top - shift))
            moment = (moment + old) * decay + tl.sum(tl.where(e == 0.0, 0.0, (z - shift[:, None]) * e), 1)
        total = total * decay + tl.sum(e, 1)
        top = new_top

        if index_ptr is not None:
            key = tl.where(z == z, z, float("inf"))  # a NaN wins, as in torch.argmax
            tile_best = tl.max(key, 1)
            where = tl.min(tl.where(key == tile_best[:, None], cols[None, :], n_vocab), 1)
            index = tl.where(tile_best > best, where, index)
            best = tl.maximum(best, tile_best)

    out = split.to(tl.int64) * n_rows + rows
    tl.store(top_ptr + out, top, mask=row_ok)
    tl.store(total_ptr + out, total, mask=row_ok)
    tl.store(target_logit_ptr + out, target_logit, mask=row_ok)
    if moment_ptr is not None:
        tl.store(moment_ptr + out, moment, mask=row_ok)
    if index_ptr is not None:
        tl.store(best_ptr + out, best, mask=row_ok)
        tl.store(index_ptr + out, index, mask=row_ok)


@triton.jit
def linear_logp_combine_kernel(
    targets_ptr,
    top_ptr,
    total_ptr,
    target_logit_ptr,
    moment_ptr,
    best_ptr,
    index_ptr,
    logp_ptr,
    lse_ptr,
    entropy_ptr,
    argmax_ptr,
    n_rows,
    n_vocab,
    n_splits,
    BLOCK_SPLITS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
):
    """Merge the partial results [splits, N] of a block of rows; always in the same order."""
    rows = tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    row_ok = rows < n_rows
    top = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_ROWS], tl.float32)
    target_logit = tl.zeros([BLOCK_ROWS], tl.float32)
    moment = tl.zeros([BLOCK_ROWS], tl.float32)
    best = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    index = tl.zeros([BLOCK_ROWS], tl.int32)
    for start in range(0, n_splits, BLOCK_SPLITS):
        splits = start + tl.arange(0, BLOCK_SPLITS)
        at = splits.to(tl.int64)[:, None] * n_rows + rows[None, :]  # [BS, BR]
        ok = (splits < n_splits)[:, None] & row_ok[None, :]
        part_top = tl.load(top_ptr + at, mask=ok, other=float("-inf"))
        part_total = tl.load(total_ptr + at, mask=ok, other=0.0)
        target_logit += tl.sum(tl.load(target_logit_ptr + at, mask=ok, other=0.0), 0)

        new_top = tl.maximum(top, tl.max(part_top, 0))
        shift = tl.where(new_top == float("-inf"), 0.0, new_top)
        decay = tl.exp(top - shift)
        part_decay = tl.exp(part_top - shift[None, :])
        if moment_ptr is not None:
            part = tl.load(moment_ptr + at, mask=ok, other=0.0)
            part += tl.where(part_total == 0.0, 0.0, part_total * (part_top - shift[None, :]))
            old = tl.where(total == 0.0, 0.0, total * (top - shift))
            moment = (moment + old) * decay + tl.sum(part * part_decay, 0)
        total = total * decay + tl.sum(part_total * part_decay, 0)
        top = new_top

        if index_ptr is not None:
            part_best = tl.load(best_ptr + at, mask=ok, other=float("-inf"))
            part_index = tl.load(index_ptr + at, mask=ok, other=n_vocab)
            group_best = tl.max(part_best, 0)
            where = tl.min(tl.where(part_best == group_best[None, :], part_index, n_vocab), 0)
            index = tl.where(group_best > best, where, index)
            best = tl.maximum(best, group_best)

    target = tl.load(targets_ptr + rows, mask=row_ok, other=IGNORE)
    log_total = tl.log(total)
    logp = (target_logit - top) - log_total
    # No program met a target outside the vocabulary: say so rather than return a number.
    logp = tl.where((target < 0) | (target >= n_vocab), float("nan"), logp)
    tl.store(logp_ptr + rows, tl.where(target == IGNORE, 0.0, logp), mask=row_ok)
    tl.store(lse_ptr + rows, top + log_total, mask=row_ok)
    if moment_ptr is not None:
        tl.store(entropy_ptr + rows, log_total - moment / total, mask=row_ok)
    if index_ptr is not None:
        tl.store(argmax_ptr + rows, index.to(tl.int64), mask=row_ok)


def forward(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
    argmax: bool,
    entropy: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log-probability, argmax, entropy and log-sum-exp of every row.

    Args:
        hidden: [N, D] float32, bfloat16 or float16, last dimension contiguous.
        weight: [V, D] of one of these types, last dimension contiguous; V >= 1.
        targets: [N] int64 in [0, V), or -100 for rows that give 0. Anything else gives NaN.
        bias: [V] of one of these types, contiguous; or None.
        softcap: c in ``c * tanh(z / c)``; None or 0 for none.
        logit_scale: factor on the product, before the bias.
        argmax: whether to compute the argmax. A NaN counts as the largest logit.
        entropy: whether to compute the entropy.

    Returns:
        ``(logp [N] float32 nats, argmax [N] int64, entropy [N] float32 nats, lse [N] float32 nats)``;
        argmax and entropy are [0] unless asked for.
    """
    n, depth = hidden.shape
    vocab = weight.shape[0]
    softcap = softcap or None
    splits = triton.cdiv(vocab, VOCAB_PER_SPLIT)
    blocks = blocks_for(hidden, weight)

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=hidden.device)

    logp, lse = empty(n), empty(n)
    best_token = empty(n if argmax else 0, dtype=torch.int64)
    spread = empty(n if entropy else 0)
    if n == 0:
        return logp, best_token, spread, lse
    top, total, target_logit = empty(splits, n), empty(splits, n), empty(splits, n)
    moment = empty(splits, n) if entropy else None
    best = empty(splits, n) if argmax else None
    index = empty(splits, n, dtype=torch.int32) if argmax else None
    with torch.cuda.device_of(hidden):
        linear_logp_fwd_kernel[(triton.cdiv(n, blocks.rows) * splits,)](
            hidden,
            weight,
            bias,
            targets,
            top,
            total,
            target_logit,
            moment,
            best,
            index,
            n,
            vocab,
            depth,
            hidden.stride(0),
            weight.stride(0),
            logit_scale,
            softcap,
            WIDEN=blocks.widen,
            SPLIT=VOCAB_PER_SPLIT,
            GROUP_ROWS=GROUP_ROWS,
            BLOCK_ROWS=blocks.rows,
            BLOCK_VOCAB=blocks.vocab,
            BLOCK_DEPTH=blocks.depth,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
            enable_fp_fusion=FP_FUSION,
        )
        linear_logp_combine_kernel[(triton.cdiv(n, COMBINE_ROWS),)](
            targets,
            top,
            total,
            target_logit,
            moment,
            best,
            index,
            logp,
            lse,
            spread if entropy else None,
            best_token if argmax else None,
            n,
            vocab,
            splits,
            BLOCK_SPLITS=COMBINE_SPLITS,
            BLOCK_ROWS=COMBINE_ROWS,
            num_warps=COMBINE_WARPS,
            num_stages=COMBINE_STAGES,
            enable_fp_fusion=FP_FUSION,
        )
    return logp, best_token, spread, lse
