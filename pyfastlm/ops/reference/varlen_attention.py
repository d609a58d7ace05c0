"""``varlen_attention`` as a textbook has it: one sequence after the other, all scores at once."""

from itertools import pairwise

import torch
from torch import Tensor


def spans(cu_seqlens: Tensor) -> list[slice]:
    """The rows of each sequence."""
    return [slice(start, end) for start, end in pairwise(cu_seqlens.tolist())]


def positions(cu_seqlens: Tensor) -> Tensor:
    """0, 1, ... in each sequence [N], int32: what absent positions stand for."""
    lengths = cu_seqlens.diff()
    starts = cu_seqlens[:-1].repeat_interleave(lengths)
    return torch.arange(len(starts), dtype=torch.int32, device=cu_seqlens.device) - starts


def varlen_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    *,
    positions_q: Tensor | None,
    positions_k: Tensor | None,
    rel_bias: Tensor | None,
    key_bias: Tensor | None,
    causal: bool,
    softmax1: bool,
    scale: float,
) -> Tensor:
    """Return [Nq, H, D] in the dtype of ``q``; see :func:`pyfastlm.ops.varlen_attention` for the arguments.

    Inputs below double precision are widened to float32 first. Differentiable by torch.
    """
    wide = torch.float64 if q.dtype == torch.float64 else torch.float32
    positions_q = positions(cu_seqlens_q) if positions_q is None else positions_q
    positions_k = positions(cu_seqlens_k) if positions_k is None else positions_k
    out = []
    for rows, keys in zip(spans(cu_seqlens_q), spans(cu_seqlens_k), strict=True):
        scores = scale * torch.einsum("qhd,khd->hqk", q[rows].to(wide), k[keys].to(wide))
        distance = positions_k[keys].long() - positions_q[rows].long().unsqueeze(1)
        if rel_bias is not None:
            radius = len(rel_bias) // 2
            entry = distance.clamp(-radius, radius) + radius
            scores = scores + rel_bias.to(wide)[entry].permute(2, 0, 1)
        if key_bias is not None:
            scores = scores + key_bias[keys].to(wide)
        if causal:
            scores = scores.masked_fill(distance > 0, float("-inf"))
        p = _softmax(scores, softmax1)
        out.append(torch.einsum("hqk,khd->qhd", p, v[keys].to(wide)))
    return torch.cat(out).to(q.dtype) if out else torch.zeros_like(q)


def _softmax(scores: Tensor, softmax1: bool) -> Tensor:
    """Softmax over keys; rows without a visible key give zeros. With ``softmax1`` one more key scores 0."""
    if softmax1:
        scores = torch.cat([scores, scores.new_zeros(*scores.shape[:-1], 1)], dim=-1)
        return scores.softmax(dim=-1)[..., :-1]
    hidden = scores.isneginf().all(dim=-1, keepdim=True)
    return scores.masked_fill(hidden, 0.0).softmax(dim=-1).masked_fill(hidden, 0.0)


def bucket(distance: Tensor, buckets: int, bidirectional: bool, max_distance: int) -> Tensor:
    """The bucket of T5's relative attention for each distance key - query.

    Source: Raffel et al. (2020), as in transformers ``T5Attention._relative_position_bucket``.
    """
    base = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        base = (distance > 0).long() * buckets
        near = distance.abs()
    else:
        near = (-distance).clamp(min=0)
    exact = buckets // 2
    # float32 like every implementation: a bucket's edge lies where float32 rounds it.
    ratio = torch.log(near.clamp(min=1).float() / exact) / torch.log(torch.tensor(max_distance / exact))
    far = (exact + (ratio * (buckets - exact)).long()).clamp(max=buckets - 1)
    return base + torch.where(near < exact, near, far)
