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

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

IGNORE = tl.constexpr(-100)

VOCAB_PER_SPLIT = 1024
"""Vocabulary entries per program of the forward pass; a multiple of every ``Blocks.vocab``."""

WORKSPACE_BYTES = 64 << 20
"""Upper bound of the backward workspace."""

WORKSPACE_ROWS = 8192
"""Rows of one workspace at most, so that it stays wide enough for the matrix products behind it."""

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
COMBINE_SPLITS, COMBINE_ROWS, COMBINE_WARPS, COMBINE_STAGES = 64, 32, 4, 1
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


@triton.jit
def linear_logp_dlogits_kernel(
    hidden_ptr,
    weight_ptr,
    bias_ptr,
    targets_ptr,
    lse_ptr,
    entropy_ptr,
    grad_logp_ptr,
    grad_entropy_ptr,
    boost_ptr,
    out_ptr,
    n_rows,
    n_vocab,
    n_cols,
    depth,
    first,
    stride_hidden,
    stride_weight,
    stride_out,
    logit_scale,
    softcap,
    WIDEN: tl.constexpr,
    GROUP_ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_VOCAB: tl.constexpr,
    BLOCK_DEPTH: tl.constexpr,
):
    """Gradient [N, C] with respect to the scaled and biased logits of the vocabulary entries ``first`` to
    ``first + n_cols``, times ``boost``. The chain rule through the soft cap is in it, ``logit_scale`` is not.

    C is a multiple of BLOCK_VOCAB: columns past ``n_cols`` hold leftovers that nobody reads.
    """
    pid = tl.program_id(0)
    n_blocks = tl.cdiv(n_cols, BLOCK_VOCAB)
    row_block, col_block = tl.swizzle2d(
        pid // n_blocks, pid % n_blocks, tl.cdiv(n_rows, BLOCK_ROWS), n_blocks, GROUP_ROWS
    )
    rows = row_block * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    row_ok = rows < n_rows
    out_cols = col_block * BLOCK_VOCAB + tl.arange(0, BLOCK_VOCAB)
    cols = first + out_cols
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
    boost = tl.load(boost_ptr)
    target = tl.load(targets_ptr + rows, mask=row_ok, other=IGNORE)
    grad = tl.load(grad_logp_ptr + rows, mask=row_ok, other=0.0) * boost
    grad = tl.where((target < 0) | (target >= n_vocab), float("nan"), grad)
    grad = tl.where(target == IGNORE, 0.0, grad)
    lse = tl.load(lse_ptr + rows, mask=row_ok, other=0.0)
    log_p = z - lse[:, None]
    p = tl.exp(log_p)
    # d logp / d z is [v is the target] - p, and d entropy / d z is -p (log p + entropy).
    if grad_entropy_ptr is not None:
        grad_entropy = tl.load(grad_entropy_ptr + rows, mask=row_ok, other=0.0) * boost
        entropy = tl.load(entropy_ptr + rows, mask=row_ok, other=0.0)
        factor = (grad + grad_entropy * entropy)[:, None] + grad_entropy[:, None] * log_p
        factor = tl.where(p == 0.0, 0.0, factor)  # log p may be -inf
    else:
        factor = grad[:, None]
        p = tl.where((target == IGNORE)[:, None], 0.0, p)  # whatever an ignored row holds, no gradient
    hit = cols[None, :] == target.to(tl.int32)[:, None]
    dz = tl.where(hit, grad[:, None], 0.0) - p * factor  # [BR, BV]
    if softcap is not None:
        ratio = z / softcap
        dz *= 1.0 - ratio * ratio
    out = out_ptr + rows.to(tl.int64)[:, None] * stride_out + out_cols[None, :]
    tl.store(out, dz.to(out_ptr.dtype.element_ty), mask=row_ok[:, None])


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


def backward(
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
    lse: Tensor,
    entropy: Tensor | None,
    grad_hidden: bool,
    grad_weight: bool,
    grad_bias: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients with respect to ``hidden``, ``weight`` and ``bias``.

    Args:
        grad_logp: [N] float32; without effect where the target is -100.
        grad_entropy: [N] float32, or None for zero; applies to every row.
        hidden, weight, targets, bias, softcap, logit_scale: as in :func:`forward`.
        lse: [N] float32 of :func:`forward`.
        entropy: [N] float32 of :func:`forward`; needed with ``grad_entropy``.
        grad_hidden, grad_weight, grad_bias: which gradients to compute.

    Returns:
        ``(grad_hidden [N, D], grad_weight [V, D], grad_bias [V])`` in the dtypes of hidden, weight and bias;
        None where not asked for. Deterministic.
    """
    n, depth = hidden.shape
    vocab = weight.shape[0]
    softcap = softcap or None
    device = hidden.device
    d_hidden = torch.zeros(n, depth, dtype=torch.float32, device=device) if grad_hidden else None
    d_weight = torch.zeros_like(weight, memory_format=torch.contiguous_format) if grad_weight else None
    d_bias = torch.zeros_like(bias) if grad_bias and bias is not None else None
    if n > 0:
        grad_logp = grad_logp.contiguous()
        grad_entropy = None if grad_entropy is None else grad_entropy.contiguous()
        boost = _boost(grad_logp, grad_entropy)
        unboost = logit_scale / boost
        blocks = blocks_for(hidden, weight)
        dtype = torch.promote_types(hidden.dtype, weight.dtype)
        wide_hidden = hidden.to(dtype)
        if grad_entropy is None:  # the factor 0 would not keep a NaN of an ignored row out of the sum
            wide_hidden = wide_hidden.masked_fill((targets == IGNORE.value).unsqueeze(1), 0.0)
        n_rows, n_cols = _workspace_shape(n, vocab, dtype, blocks)
        workspace = torch.empty(n_rows, n_cols, dtype=dtype, device=device)
        for first in range(0, vocab, n_cols):
            cols = slice(first, min(first + n_cols, vocab))
            wide_weight = weight[cols].to(dtype)
            weight_sum = bias_sum = None
            for start in range(0, n, n_rows):
                rows = slice(start, min(start + n_rows, n))
                dz = _dlogits(
                    workspace,
                    rows,
                    cols,
                    boost,
                    grad_logp,
                    grad_entropy,
                    hidden,
                    weight,
                    targets,
                    bias,
                    softcap,
                    logit_scale,
                    lse,
                    entropy,
                    blocks,
                )
                if d_hidden is not None:
                    d_hidden[rows] += _product(dz, wide_weight)
                if d_weight is not None:
                    part = _product(dz.T, wide_hidden[rows])
                    weight_sum = part if weight_sum is None else weight_sum.add_(part)
                if d_bias is not None:
                    part = dz.sum(0, dtype=torch.float32)
                    bias_sum = part if bias_sum is None else bias_sum.add_(part)
            if d_weight is not None and weight_sum is not None:
                d_weight[cols] = weight_sum.mul_(unboost)
            if d_bias is not None and bias_sum is not None:
                d_bias[cols] = bias_sum.div_(boost)
        if d_hidden is not None:
            d_hidden.mul_(unboost)
    return None if d_hidden is None else d_hidden.to(hidden.dtype), d_weight, d_bias


def _dlogits(
    workspace: Tensor,
    rows: slice,
    cols: slice,
    boost: Tensor,
    grad_logp: Tensor,
    grad_entropy: Tensor | None,
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    softcap: float | None,
    logit_scale: float,
    lse: Tensor,
    entropy: Tensor | None,
    blocks: Blocks,
) -> Tensor:
    """Fill the workspace for ``rows`` and the vocabulary entries ``cols``; return the filled view of it."""
    n_rows, n_cols = rows.stop - rows.start, cols.stop - cols.start
    with torch.cuda.device_of(hidden):
        linear_logp_dlogits_kernel[(triton.cdiv(n_rows, blocks.rows) * triton.cdiv(n_cols, blocks.vocab),)](
            hidden[rows],
            weight,
            bias,
            targets[rows],
            lse[rows],
            None if entropy is None or grad_entropy is None else entropy[rows],
            grad_logp[rows],
            None if grad_entropy is None else grad_entropy[rows],
            boost,
            workspace,
            n_rows,
            weight.shape[0],
            n_cols,
            weight.shape[1],
            cols.start,
            hidden.stride(0),
            weight.stride(0),
            workspace.stride(0),
            logit_scale,
            softcap,
            WIDEN=blocks.widen,
            GROUP_ROWS=GROUP_ROWS,
            BLOCK_ROWS=blocks.rows,
            BLOCK_VOCAB=blocks.vocab,
            BLOCK_DEPTH=blocks.depth,
            num_warps=blocks.warps,
            num_stages=blocks.stages,
            enable_fp_fusion=FP_FUSION,
        )
    return workspace[:n_rows, :n_cols]


def _workspace_shape(n: int, vocab: int, dtype: torch.dtype, blocks: Blocks) -> tuple[int, int]:
    """Rows and columns of the workspace: columns a multiple of the tile, at most ``WORKSPACE_BYTES``."""
    rows = min(n, WORKSPACE_ROWS)
    fitting = WORKSPACE_BYTES // (rows * dtype.itemsize * blocks.vocab)
    return rows, blocks.vocab * max(1, min(fitting, triton.cdiv(vocab, blocks.vocab)))


def _boost(grad_logp: Tensor, grad_entropy: Tensor | None) -> Tensor:
    """A power of two [] float32 that takes the largest incoming gradient to 2^9 or more, below 2^10.

    The gradient of a mean over tokens, 1/N, times the probability of a rare token is below what float16
    holds: without the factor a float16 workspace would be mostly zeros.
    """
    largest = grad_logp.abs().amax()
    if grad_entropy is not None:
        largest = torch.maximum(largest, grad_entropy.abs().amax())
    exponent = torch.frexp(torch.nan_to_num(largest, nan=1.0, posinf=1.0)).exponent
    return torch.ldexp(torch.ones_like(largest), (10 - exponent).clamp(-100, 100))


def _product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of one dtype, accumulated and returned in float32."""
    if a.dtype != torch.float32 and a.is_cuda and "dtype" in torch.ops.aten.mm.overloads():
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()  # torch before 2.8, and the CPU, have no such product of 16-bit operands
