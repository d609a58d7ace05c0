"""``linear_logp`` as a textbook has it: full logits, log-softmax, gather. Differentiable by torch."""

import torch
from torch import Tensor

IGNORE = -100


def compute_dtype(hidden: Tensor) -> torch.dtype:
    """The dtype of every sum and result: float32, or float64 for float64 inputs."""
    return torch.float64 if hidden.dtype == torch.float64 else torch.float32


def logits(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, softcap: float | None, logit_scale: float
) -> Tensor:
    """Scaled, biased and soft-capped logits [N, V], in the dtype that ``hidden @ weight.T`` has."""
    z = logit_scale * (hidden @ weight.T)
    if bias is not None:
        z = z + bias
    if softcap is not None:
        z = softcap * torch.tanh(z / softcap)
    return z


def linear_logp(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    softcap: float | None = None,
    logit_scale: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``(logp [N], argmax [N], entropy [N])``; see :func:`pyfastlm.ops.linear_logp` for the arguments.

    Inputs below double precision are widened to float32 first, so products accumulate in float32.
    """
    dtype = compute_dtype(hidden)
    z = logits(
        hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype), softcap, logit_scale
    )
    log_p = torch.log_softmax(z, dim=-1)
    scored = targets != IGNORE
    logp = log_p.gather(1, targets.where(scored, 0).unsqueeze(1)).squeeze(1).where(scored, 0.0)
    p = log_p.exp()
    entropy = -(p * log_p.where(p > 0, 0.0)).sum(dim=-1)
    return logp, z.argmax(dim=-1), entropy
