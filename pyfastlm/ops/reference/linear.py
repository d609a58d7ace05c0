"""``linear`` as torch has it: the vendor's product."""

import torch.nn.functional as F
from torch import Tensor


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``x @ weight.T + bias`` [..., V]; see :func:`pyfastlm.ops.linear`. Differentiable by torch."""
    return F.linear(x, weight, bias)
