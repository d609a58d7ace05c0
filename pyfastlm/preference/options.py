"""The numbers of a training: checked before any work, and compared when a run goes on."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.preference.encoding import MAX_LENGTH
from pyfastlm.preference.objectives import OBJECTIVES

FREE = ("log_every", "checkpoint_every")  # what is written and when, not what is learned


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a model is trained on pairs.

    Attributes:
        steps: of AdamW.
        objective: ``apo_zero``, ``apo_down``, ``apo_unpaired``, ``dpo`` or ``ipo``.
        beta: how much a log ratio counts.
        batch_size: pairs of a step.
        pairs_at_once: how many of them go through the model together; gradients are accumulated. Bounds
            memory, and changes results only by rounding.
        rank: of the adapters, which sit on all linear layers of the blocks; None trains all weights.
        lr: learning rate at its highest.
        warmup: steps in which it rises.
        decays: whether it falls to 0 after that, linearly.
        weight_decay: of AdamW.
        grad_clip: largest norm of the gradient.
        checkpointing: keep only the inputs of each block, and run it again in the backward pass.
        max_length: tokens of prompt and answer; longer answers are cut.
        seed: of the order, and of the adapters.
        log_every: steps between two entries of the log.
        checkpoint_every: steps between two checkpoints; only the newest is kept.
    """

    steps: int
    objective: str = "apo_zero"
    beta: float = 0.1
    batch_size: int = 8
    pairs_at_once: int = 8
    rank: int | None = 16
    lr: float = 1e-4
    warmup: int = 0
    decays: bool = True
    weight_decay: float = 0.0
    grad_clip: float = 1.0
    checkpointing: bool = False
    max_length: int = MAX_LENGTH
    seed: int = 0
    log_every: int = 1
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise InputError(f"objective: expected one of {', '.join(OBJECTIVES)}, got {self.objective!r}")
        least = dict.fromkeys(("steps", "batch_size", "pairs_at_once", "log_every", "checkpoint_every"), 1)
        for name, lowest in (least | {"warmup": 0, "seed": 0}).items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name}: expected at least {lowest}, got {getattr(self, name)}")
        if self.rank is not None and self.rank < 1:
            raise InputError(f"rank: expected at least 1, or None to train all weights, got {self.rank}")
        for name in ("beta", "lr", "grad_clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a finite number above 0, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay}")

    def rate(self, step: int) -> float:
        """The learning rate of step number ``step``, from 0."""
        rising = (step + 1) / (self.warmup + 1)
        left = (self.steps - step) / max(1, self.steps - self.warmup)
        return self.lr * min(1.0, rising, left if self.decays else 1.0)

    def settings(self) -> dict[str, Any]:
        """Those that decide the weights at the end."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}
