"""A choice for each channel: one of the variables, or none."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SPREAD = 0.01  # of the first logits
TEMPERATURE = 1.0


class HardMask(nn.Module):
    """N choices among V variables and "none", the last; learned through hard Gumbel samples.

    ``logits``: [N, V+1], small at first.
    """

    def __init__(self, size: int, variables: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(SPREAD * torch.randn(size, variables + 1))

    def forward(self) -> Tensor:
        """[N, V+1], one 1 in each row: in training a sample, whose gradient is that of the softmax (straight
        through); in evaluation the likeliest."""
        if not self.training:
            return F.one_hot(self.logits.argmax(dim=1), self.logits.shape[1]).to(self.logits.dtype)
        gumbel = -torch.empty_like(self.logits).exponential_().log()
        soft = ((self.logits + gumbel) / TEMPERATURE).softmax(dim=1)
        hard = F.one_hot(soft.argmax(dim=1), soft.shape[1]).to(soft.dtype)
        return hard + (soft - soft.detach())

    def penalty(self) -> Tensor:
        """How much the variables are preferred to "none": mean logit of those less that of this."""
        return self.logits[:, :-1].mean() - self.logits[:, -1].mean()
