"""Losses on pairs of answers, in the log-probabilities of whole answers; all of them in plain torch.

Below, ``r`` is the log ratio of an answer: its log-probability under the model that learns, minus that under
the reference; ``s`` is the logistic function. Every log-probability is the sum over the tokens of the answer,
in nats; the prompt does not count.

Source: D'Oosterlinck et al. (2024), equations 7 and 8, and for the other losses the papers named there.
"""

from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import dpo

Kind = Literal["zero", "down"]
KINDS = ("zero", "down")
Array = TypeVar("Array", Tensor, NDArray[np.floating])


def apo_loss(
    policy_chosen: Array,
    policy_rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    kind: Kind = "zero",
    beta: float = 0.1,
) -> Array:
    """Anchored preference optimisation: the mean over pairs, a scalar.

    ``zero``: (1 - s(beta r_chosen)) + s(beta r_rejected), which makes the chosen likelier than under the
    reference and the rejected less likely. ``down``: s(beta r_chosen) + (1 - s(beta (r_chosen -
    r_rejected))), which makes both less likely, the rejected more so. Each part is bounded, so a pair that
    is far enough from the reference stops to pull: the anchor. Where nothing is learnt yet, both are 1.

    Args:
        policy_chosen, policy_rejected: [N] of the model that learns; torch or numpy.
        ref_chosen, ref_rejected: [N] of the reference.
        kind: ``zero`` if the chosen answers are better than those that the model gives, else ``down``.
        beta: how much a log ratio counts, above 0.

    Raises:
        InputError, InputTypeError: shapes differ, there is no pair, or an option is wrong.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    given = _paired(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta)
    chosen, rejected = beta * given.chosen, beta * given.rejected
    if kind == "zero":
        losses = torch.sigmoid(-chosen) + torch.sigmoid(rejected)
    else:
        losses = torch.sigmoid(chosen) + torch.sigmoid(rejected - chosen)
    return _like(policy_chosen, losses.mean())


def apo_unpaired_loss(
    policy_chosen: Array,
    policy_rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Array:
    """APO-zero for answers that come without a partner: the mean over all of them, a scalar.

    ``desirable_weight`` (1 - s(beta r)) for an answer that is liked, ``undesirable_weight`` s(beta r) for one
    that is not.

    Args:
        policy_chosen, ref_chosen: [N] of the answers that are liked; N may be 0.
        policy_rejected, ref_rejected: [M] of those that are not; M may be 0, but not both.
        beta: how much a log ratio counts, above 0.
        desirable_weight, undesirable_weight: of each side, to make up for one that is rarer.

    Raises:
        InputError, InputTypeError: shapes do not fit, there is no answer, or an option is wrong.
    """
    return kto_loss(
        policy_chosen,
        policy_rejected,
        ref_chosen,
        ref_rejected,
        kl=0.0,
        beta=beta,
        desirable_weight=desirable_weight,
        undesirable_weight=undesirable_weight,
    )


def kto_loss(
    policy_chosen: Array,
    policy_rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    kl: float,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Array:
    """The loss of Kahneman-Tversky optimisation: that of :func:`apo_unpaired_loss` with its zero at ``kl``.

    Args:
        kl: mean log ratio of answers to other prompts than theirs, not below 0; a constant.

    The others, and what is raised, are those of :func:`apo_unpaired_loss`.

    Source: Ethayarajh et al. (2024), equation 7.
    """
    weights = {"desirable_weight": desirable_weight, "undesirable_weight": undesirable_weight}
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise InputError(f"{name}: expected a finite number from 0, got {weight}")
    given = _log_ratios(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta)
    liked = desirable_weight * torch.sigmoid(beta * (kl - given.chosen))
    disliked = undesirable_weight * torch.sigmoid(beta * (given.rejected - kl))
    return _like(policy_chosen, torch.cat([liked, disliked]).mean())


def dpo_loss(
    policy_chosen: Array,
    policy_rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    beta: float = 0.1,
) -> Array:
    """Direct preference optimisation, without anchors: the mean of -log s(beta (r_chosen - r_rejected)).

    Arguments and errors are those of :func:`apo_loss`; the formula is :func:`pyfastlm.lm.dpo.dpo_loss`.
    """
    given = _paired(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta)
    none = torch.zeros_like(given.chosen)
    return _like(policy_chosen, dpo.dpo_loss(given.chosen, given.rejected, none, none, beta=beta))


def ipo_loss(
    policy_chosen: Array,
    policy_rejected: Array,
    ref_chosen: Array,
    ref_rejected: Array,
    *,
    chosen_tokens: Array,
    rejected_tokens: Array,
    beta: float = 0.1,
) -> Array:
    """Identity preference optimisation: the mean of (difference of log ratios per token - 1/(2 beta))^2.

    Args:
        chosen_tokens, rejected_tokens: [N] how many tokens each answer has, at least 1.

    The others, and what is raised, are those of :func:`apo_loss`.

    Source: Azar et al. (2023), equation 17, averaged over tokens as TRL's authors do.
    """
    given = _paired(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta)
    counts = [torch.as_tensor(n, device=given.chosen.device) for n in (chosen_tokens, rejected_tokens)]
    for name, count in zip(("chosen_tokens", "rejected_tokens"), counts, strict=True):
        if count.shape != given.chosen.shape or bool((count < 1).any()):
            raise InputError(f"{name}: expected {list(given.chosen.shape)} counts from 1")
    margin = given.chosen / counts[0] - given.rejected / counts[1]
    return _like(policy_chosen, ((margin - 1 / (2 * beta)) ** 2).mean())


class Slopes(NamedTuple):
    """Derivatives [N] of a pair's loss by the log-probabilities of its answers."""

    chosen: Tensor
    rejected: Tensor


def slopes(objective: str, chosen: Tensor, rejected: Tensor, beta: float) -> Slopes:
    """Derivatives of the loss of each pair in closed form; those of a mean are these over N.

    Args:
        objective: ``apo_zero``, ``apo_down`` or ``dpo``.
        chosen, rejected: [N] log ratios.
        beta: as in the loss.
    """
    difference = chosen - rejected
    if objective == "apo_zero":
        return Slopes(-beta * _bell(beta * chosen), beta * _bell(beta * rejected))
    if objective == "apo_down":
        pulled = beta * _bell(beta * difference)
        return Slopes(beta * _bell(beta * chosen) - pulled, pulled)
    if objective == "dpo":
        pulled = beta * torch.sigmoid(-beta * difference)
        return Slopes(-pulled, pulled)
    raise InputError(f"objective: expected apo_zero, apo_down or dpo, got {objective!r}")


def _bell(x: Tensor) -> Tensor:
    """s(x) (1 - s(x)), at most 1/4; accurate in the tails, where 1 - s(x) rounds to 0."""
    return torch.exp(logsigmoid(x) + logsigmoid(-x))


class _LogRatios(NamedTuple):
    chosen: Tensor
    rejected: Tensor


def _paired(
    policy_chosen: Array, policy_rejected: Array, ref_chosen: Array, ref_rejected: Array, beta: float
) -> _LogRatios:
    given = _log_ratios(policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta)
    if len(given.chosen) != len(given.rejected):
        raise InputError(
            f"policy_rejected: expected one for each of {len(given.chosen)} chosen, got {len(given.rejected)}"
        )
    return given


def _log_ratios(
    policy_chosen: Array, policy_rejected: Array, ref_chosen: Array, ref_rejected: Array, beta: float
) -> _LogRatios:
    if not 0 < beta < float("inf"):
        raise InputError(f"beta: expected a finite number above 0, got {beta}")
    chosen = _log_ratio(policy_chosen, ref_chosen, "chosen")
    rejected = _log_ratio(policy_rejected, ref_rejected, "rejected")
    if not len(chosen) and not len(rejected):
        raise InputError("policy_chosen: expected at least one answer, got none")
    return _LogRatios(chosen, rejected)


def _log_ratio(policy: Array, ref: Array, side: str) -> Tensor:
    found = []
    for name, value in ((f"policy_{side}", policy), (f"ref_{side}", ref)):
        if not isinstance(value, Tensor | np.ndarray):
            raise InputTypeError(f"{name}: expected a tensor or an array, got {type(value).__name__}")
        tensor = torch.as_tensor(value)
        if not tensor.is_floating_point():
            raise InputTypeError(f"{name}: expected floating point numbers, got {tensor.dtype}")
        if tensor.ndim != 1:
            raise InputError(f"{name}: expected [N], one sum for each answer, got {list(tensor.shape)}")
        found.append(tensor)
    if len(found[0]) != len(found[1]):
        raise InputError(f"ref_{side}: expected [{len(found[0])}] as policy_{side}, got [{len(found[1])}]")
    # The difference of two long sums would lose its digits in a half precision.
    wide = torch.promote_types(found[0].dtype, torch.float32)
    return found[0].to(wide) - found[1].to(wide)


def _like(given: Array, loss: Tensor) -> Array:
    """A scalar of the kind of ``given``."""
    return loss if isinstance(given, Tensor) else loss.numpy()[()]
