"""What makes a gate delete: terms of the training loss that fall as gates close.

The original's ``scores_loss`` is left out: it averages over the attention scores of every layer, each a
[B, H, L, L] tensor that the attention here never makes.
"""

from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from pyfastlm.errors import InputError

Kind = Literal["gate_mean", "logits_mean", "clamped_logits_mean", "gate_var"]


class Gates(Protocol):
    """What a model with a delete gate returns of it."""

    gate_values: Tensor  # [B, L], G: at most 0, lower is closer to deletion
    gate_logits: Tensor  # [B, L], z: higher is kept


def regularizer(gates: Gates, mask: Tensor, kind: Kind = "gate_mean", *, threshold: float = -15.0) -> Tensor:
    """The term that alpha weighs; to minimise it is to delete.

    Args:
        gates: ``gate_values`` and ``gate_logits``, [B, L].
        mask: [B, L], true or 1 where there is a token; pads do not count.
        kind: ``gate_mean``: mean of G. ``logits_mean``: mean of z. ``clamped_logits_mean``: mean of
            max(z, 2 threshold), so that a gate that is closed for sure is pushed no further. ``gate_var``:
            minus the variance of G.
        threshold: the model's ``deletion_threshold``.

    Returns:
        A number; gradients reach the gate.

    Raises:
        InputError: an unknown kind.

    Source: Kallini et al. (2024), section 3.3; ``training/trainer.py``.
    """
    if kind not in get_args(Kind):
        raise InputError(f"regularizer: expected one of {', '.join(get_args(Kind))}, got {kind!r}")
    there = mask.bool()
    if kind == "gate_mean":
        return gates.gate_values[there].mean()
    if kind == "gate_var":
        return -gates.gate_values[there].var()
    logits = gates.gate_logits[there]
    return logits.mean() if kind == "logits_mean" else logits.clamp(min=2 * threshold).mean()


def entropy_regularizer(gates: Gates, mask: Tensor, c1: float, c2: float) -> Tensor:
    """``c1 H1 - c2 H2``: each gate certain, their mean in a row undecided. Not weighed by alpha.

    With p = exp(G), the probability to keep of a *log-sigmoid* gate: H1 is the mean over a row of the entropy
    of p, H2 the entropy of the row's mean of p, both in nats and averaged over the rows. Pads do not count
    (in the original they do). For a scaled-sigmoid gate p means nothing.

    Args:
        gates: ``gate_values`` [B, L], at most 0.
        mask: [B, L], true or 1 where there is a token; a row without any counts as H1 = H2 = 0.
        c1, c2: weights.
    """
    there = mask.bool()
    count = there.sum(dim=1).clamp(min=1)
    values = gates.gate_values
    of_each = _entropy(values).masked_fill(~there, 0.0).sum(dim=1) / count
    lowest = torch.finfo(values.dtype).min  # not -inf: a row of pads would have no gradient but NaN
    total = torch.logsumexp(values.masked_fill(~there, lowest), dim=1)
    of_mean = _entropy(total - count.to(values.dtype).log())
    return c1 * of_each.mean() - c2 * of_mean.mean()


def _entropy(log_p: Tensor) -> Tensor:
    """Entropy in nats of a coin whose log-probability is ``log_p``."""
    p = log_p.exp()
    largest = 1 - torch.finfo(p.dtype).eps
    return -(p * log_p + (1 - p) * torch.log1p(-p.clamp(max=largest)))
