"""The numbers of a run: checked before any work, and compared when a run goes on."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from pyfastlm.errors import InputError

_FREE = ("log_every", "checkpoint_every", "grid")  # what is written and when, not what is learned


@dataclass(frozen=True, slots=True)
class Options:
    """Arguments of :func:`~pyfastlm.memorization.injection.training.continue_pretraining`, which explains
    them."""

    steps: int
    batch_size: int
    lr: float
    warmup: int
    weight_decay: float
    grad_clip: float
    shuffle: bool
    seed: int
    log_every: int
    checkpoint_every: int
    grid: tuple[int, ...]

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: names the argument.
        """
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("warmup", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected at least 0, got {getattr(self, name)}")
        for name in ("lr", "grad_clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a finite number above 0, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay}")
        if wrong := [step for step in self.grid if not 1 <= step <= self.steps]:
            raise InputError(f"grid: expected steps from 1 to {self.steps}, got {wrong[0]}")

    def rate(self, step: int) -> float:
        """The learning rate of step number ``step``, from 0: rising for ``warmup`` steps, then constant."""
        return self.lr * min(1.0, (step + 1) / (self.warmup + 1))

    def settings(self) -> dict[str, Any]:
        """Those that decide the weights at the end."""
        return {name: value for name, value in asdict(self).items() if name not in _FREE}
