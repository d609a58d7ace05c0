"""Backward pass of ``linear_logp``: Triton kernel and launcher.

:mod:`pyfastlm.kernels.linear_logp` has the method and the roofline.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from pyfastlm.kernels._logits import FP_FUSION, GROUP_ROWS, IGNORE, Blocks, _logits, blocks_for

WORKSPACE_BYTES = 64 << 20
"""Upper bound of the backward workspace."""

WORKSPACE_ROWS = 8192
"""Rows of one workspace at most, so that it stays wide enough for the matrix products behind it."""


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
