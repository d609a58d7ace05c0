"""The losses of TRL's trainers, by their own code: the methods run on a stub of a trainer and of a model."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Answers(NamedTuple):
    """Log-probabilities [2N, T - 1] of tokens under two models, and where the answers are [2N, T]; the first
    half are chosen."""

    policy: Tensor
    reference: Tensor
    mask: Tensor

    def sums(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Policy and reference, chosen and rejected each, as the losses take them."""
        return (*self.policy.sum(1).chunk(2), *self.reference.sum(1).chunk(2))


def answers(pairs: int, *, seed: int, dtype: torch.dtype = torch.float64) -> Answers:
    """Ragged ones, with prompts of several lengths."""
    random = torch.Generator().manual_seed(seed)
    length = 14
    starts = torch.randint(1, 5, (pairs,), generator=random).repeat(2)
    stops = torch.randint(6, length + 1, (2 * pairs,), generator=random)
    places = torch.arange(length)
    mask = (places >= starts[:, None]) & (places < stops[:, None])

    def draw() -> Tensor:
        drawn = -4 * torch.rand(2 * pairs, length - 1, generator=random, dtype=torch.float64)
        return drawn.to(dtype) * mask[:, 1:]

    return Answers(draw(), draw(), mask.long())


def paired(loss_type: str, given: Answers, beta: float) -> tuple[Tensor, dict[str, float]]:
    """Loss and metrics of ``DPOTrainer``."""
    from trl import DPOTrainer

    trainer = _trainer(
        beta=beta,
        loss_types=[loss_type],
        loss_weights=[1.0],
        f_divergence_type="reverse_kl",
        ld_alpha=None,
        label_smoothing=0.0,
        use_weighting=False,
    )
    chosen, rejected = given.reference.sum(1).chunk(2)
    inputs = _inputs(given) | {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
    loss = DPOTrainer._compute_loss(trainer, _model(given), inputs, False)
    return loss, {name: values[-1] for name, values in trainer._metrics["train"].items()}


def unpaired(loss_type: str, given: Answers, beta: float, liked: float, disliked: float) -> Tensor:
    """Loss of ``KTOTrainer``, without its estimate of the divergence."""
    from trl import KTOTrainer

    trainer = _trainer(
        beta=beta,
        loss_type=loss_type,
        calculate_KL=False,
        desirable_weight=liked,
        undesirable_weight=disliked,
        _compute_kl_logps=lambda *_: None,
    )
    label = torch.arange(len(given.mask)) < len(given.mask) // 2
    inputs = _inputs(given) | {"label": label, "ref_logps": given.reference.sum(1)}
    return KTOTrainer._compute_loss(trainer, _model(given), inputs, False)


def _trainer(**settings: Any) -> Any:
    same = SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    return SimpleNamespace(
        model=torch.nn.Identity(),
        accelerator=same,
        args=SimpleNamespace(),
        precompute_ref_logps=True,
        aux_loss_enabled=False,
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
        **settings,
    )


def _inputs(given: Answers) -> dict[str, Tensor]:
    return {
        "input_ids": torch.ones_like(given.mask),
        "attention_mask": torch.ones_like(given.mask),
        "completion_mask": given.mask,
    }


def _model(given: Answers) -> Any:
    from trl.trainer.utils import FusedCausalLMOutput

    def forward(**_: Any) -> Any:
        none = torch.zeros_like(given.policy)
        return FusedCausalLMOutput(
            log_probs=given.policy, entropy=none, mean_logits=none, is_top1=none.bool()
        )

    return forward
