"""The numbers of a run: checked before any work, and compared when a run goes on."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pyfastlm.errors import InputError

FREE = ("log_every", "checkpoint_every", "grid")  # what is written and when, not what is learned


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a model is trained on texts that are drawn as it goes, none of them twice.

    Attributes:
        steps: of AdamW.
        batch_size: texts of a step.
        length: words of a text.
        smoothing: share of the steps in a text that go anywhere. Prompts jump between their shots, as texts
            without it never do.
        lr: learning rate at its highest.
        warmup: steps in which it rises.
        cooldown: share of the steps, the last ones, in which it falls to 0, linearly.
        weight_decay: of AdamW.
        grad_clip: largest norm of the gradient.
        seed: of the texts; step s of seed r always draws the same.
        log_every: steps between two entries of the log.
        checkpoint_every: steps between two checkpoints; only the newest is kept,
        grid: but those after these numbers of steps are, too.
    """

    steps: int
    batch_size: int = 8
    length: int = 256
    smoothing: float = 0.1
    lr: float = 8e-3
    warmup: int = 50
    cooldown: float = 0.0
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    grid: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (
            ("steps", 1),
            ("batch_size", 1),
            ("length", 2),
            ("log_every", 1),
            ("checkpoint_every", 1),
            ("warmup", 0),
            ("seed", 0),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("lr", "grad_clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a finite number above 0, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay}")
        if not 0 <= self.smoothing <= 1:
            raise InputError(f"smoothing: expected a share, got {self.smoothing}")
        if not 0 <= self.cooldown <= 1:
            raise InputError(f"cooldown: expected a share of the steps, got {self.cooldown}")
        if wrong := [step for step in self.grid if not 1 <= step <= self.steps]:
            raise InputError(f"grid: expected steps from 1 to {self.steps}, got {wrong[0]}")

    def rate(self, step: int) -> float:
        """The learning rate of step number ``step``, from 0."""
        rising = (step + 1) / (self.warmup + 1)
        left = self.steps - step
        falling = left / (self.cooldown * self.steps) if self.cooldown else 1.0
        return self.lr * min(1.0, rising, falling)

    def settings(self) -> dict[str, Any]:
        """Those that decide the weights at the end."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}
