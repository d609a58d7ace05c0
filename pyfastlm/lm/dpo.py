"""The loss of direct preference optimisation, for every system that needs it."""

import torch
from torch import Tensor


def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    beta: float = 0.1,
) -> Tensor:
    """Mean of -log sigmoid(beta * (log ratio of the chosen - that of the rejected)), a scalar.

    Args:
        policy_chosen, policy_rejected: [N] log-probabilities of whole answers (sums over their tokens, in
            nats), of the model that learns.
        ref_chosen, ref_rejected: [N] the same, of the reference.
        beta: how much a log ratio counts.

    Source: equation 7 of Rafailov et al. (2023).
    """
    margin = (policy_chosen - ref_chosen) - (policy_rejected - ref_rejected)
    return -torch.nn.functional.logsigmoid(beta * margin).mean()
