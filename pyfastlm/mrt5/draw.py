"""Random numbers that a seed decides on every device alike."""

from collections.abc import Callable

import torch
from torch import Tensor


def draw(like: Tensor, fill: Callable[[Tensor], Tensor], generator: torch.Generator | None) -> Tensor:
    """Random float64 in the shape of ``like``, drawn where the generator is, by default on the CPU."""
    device = torch.device("cpu") if generator is None else generator.device
    return fill(torch.empty(like.shape, dtype=torch.float64, device=device)).to(like.device)
