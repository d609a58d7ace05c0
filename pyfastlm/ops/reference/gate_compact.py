"""``gate_compact`` step by step."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
    """Return G, z, the kept rows' index, the kept rows, and the same normed."""
    wide = x if x.dtype == torch.float64 else x.float()
    normed = wide * torch.rsqrt(wide.square().mean(1, keepdim=True) + eps)
    seen = wide if norm is None else normed * norm
    z = seen @ weight.to(wide.dtype) + bias
    values = scale * torch.sigmoid(-z) if kind == "scaled_sigmoid" else F.logsigmoid(z)
    if closed is not None:
        values = values.masked_fill(closed, scale)
    index = (values > threshold).nonzero().squeeze(1)
    return values, z, index.int(), x[index], (normed[index] * next_norm).to(x.dtype)
