"""The losses by their names in a training, and what is logged of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.preference.encoding import TokenPair
from pyfastlm.preference.losses import apo_loss, apo_unpaired_loss, dpo_loss, ipo_loss
from pyfastlm.preference.policy import PairLogps

OBJECTIVES = ("apo_zero", "apo_down", "apo_unpaired", "dpo", "ipo")


def loss_of(
    objective: str, policy: PairLogps, reference: PairLogps, pairs: Sequence[TokenPair], beta: float
) -> Tensor:
    """The mean loss of some pairs, a scalar.

    Args:
        objective: one of ``OBJECTIVES``.
        policy, reference: log-probabilities [N] of the answers of ``pairs``.
        pairs: N of them; ``ipo`` counts their tokens.
        beta: of the loss.
    """
    given = (*policy, *reference)
    if objective == "apo_zero":
        return apo_loss(*given, kind="zero", beta=beta)
    if objective == "apo_down":
        return apo_loss(*given, kind="down", beta=beta)
    if objective == "apo_unpaired":
        return apo_unpaired_loss(*given, beta=beta)
    if objective == "dpo":
        return dpo_loss(*given, beta=beta)
    if objective == "ipo":
        chosen, rejected = (torch.tensor([len(pair[side]) for pair in pairs]) for side in (1, 2))
        return ipo_loss(*given, chosen_tokens=chosen, rejected_tokens=rejected, beta=beta)
    raise InputError(f"objective: expected one of {', '.join(OBJECTIVES)}, got {objective!r}")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Means over pairs; a reward is beta times the log ratio of an answer.

    ``rewards_accuracies`` is the share of pairs whose chosen answer has the higher reward.
    """

    rewards_chosen: float
    rewards_rejected: float
    rewards_margins: float
    rewards_accuracies: float
    logps_chosen: float
    logps_rejected: float

    def named(self) -> dict[str, float]:
        """By the names that TRL's trainers log: ``rewards/chosen`` and so on."""
        return {f.name.replace("_", "/", 1): getattr(self, f.name) for f in fields(Metrics)}


def metrics(policy: PairLogps, reference: PairLogps, beta: float) -> Metrics:
    """Metrics of some pairs, from log-probabilities [N]."""
    chosen, rejected = (
        beta * (new.detach() - old).double() for new, old in zip(policy, reference, strict=True)
    )
    return Metrics(
        float(chosen.mean()),
        float(rejected.mean()),
        float((chosen - rejected).mean()),
        float((chosen > rejected).double().mean()),
        float(policy.chosen.detach().double().mean()),
        float(policy.rejected.detach().double().mean()),
    )
