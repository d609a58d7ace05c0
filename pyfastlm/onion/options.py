"""The numbers of a training run: checked before any work, and compared when a run goes on."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pyfastlm.errors import InputError

FREE = ("log_every", "checkpoint_every")  # what is written and when, not what is learned
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a copier is trained.

    The paper's code trains for 40,000 steps at a constant rate of 1e-3 without a warm-up. The default comes
    to a higher accuracy in half as many.

    Attributes:
        steps: of AdamW.
        batch_size: sequences of a step.
        lr: learning rate at its highest.
        schedule: "cosine" falls to 0 at the end.
        warmup: steps in which the rate rises.
        weight_decay: of AdamW.
        log_every: steps between two entries of the log, each with the accuracy on validation.
        checkpoint_every: steps between two checkpoints, of which the newest is kept.
    """

    steps: int = 20_000
    batch_size: int = 256
    lr: float = 3e-3
    schedule: Schedule = "cosine"
    warmup: int = 500
    weight_decay: float = 0.1
    log_every: int = 1000
    checkpoint_every: int = 2000

    def __post_init__(self) -> None:
        for name, least in (
            ("steps", 1),
            ("batch_size", 1),
            ("warmup", 0),
            ("log_every", 1),
            ("checkpoint_every", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise InputError(f"lr: expected a finite number above 0, got {self.lr}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay}")
        if self.schedule not in get_args(Schedule):
            known = ", ".join(map(repr, get_args(Schedule)))
            raise InputError(f"schedule: expected {known}, got {self.schedule!r}")

    def rate(self, step: int) -> float:
        """The learning rate of step number ``step``, from 0."""
        rising = min(1.0, (step + 1) / (self.warmup + 1))
        if self.schedule == "constant":
            return self.lr * rising
        return self.lr * rising * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def settings(self) -> dict[str, Any]:
        """Those that decide the weights at the end."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}
