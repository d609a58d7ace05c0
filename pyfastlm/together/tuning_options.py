"""The numbers of a fine-tuning, checked before any work."""

import math
from dataclasses import dataclass

from pyfastlm.errors import InputError


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """How weights are trained; the defaults are the paper's.

    Attributes:
        rank: of the adapter.
        alpha: its product is added ``alpha / rank`` times.
        target_modules: last parts of the names of the layers that get one; ``("all-linear",)`` for all.
        epochs: passes over the examples.
        lr: of AdamW, falling to 0.
        batch_size: examples of a step.
        weight_decay: of AdamW.
        grad_clip: largest norm of the gradient.
        seed: of the order, and of the adapter.
        full: train all weights, of a copy of the model, instead of an adapter.
        tokens_at_once: of a step that go through the model together; bounds memory, and changes results
            only by rounding.

    Raises:
        InputError: a number is out of range.
    """

    rank: int = 32
    alpha: float = 64.0
    target_modules: tuple[str, ...] = ("q_proj", "k_proj")
    epochs: int = 5
    lr: float = 1e-5
    batch_size: int = 8
    weight_decay: float = 0.0
    grad_clip: float = 1.0
    seed: int = 0
    full: bool = False
    tokens_at_once: int = 1024

    def __post_init__(self) -> None:
        least = dict.fromkeys(("rank", "epochs", "batch_size", "tokens_at_once"), 1) | {"seed": 0}
        for name, lowest in least.items():
            value = getattr(self, name)
            if type(value) is not int or value < lowest:
                raise InputError(f"{name}: expected a whole number >= {lowest}, got {value!r}")
        for name in ("alpha", "lr", "grad_clip"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InputError(f"{name}: expected a finite number above 0, got {value!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number from 0, got {self.weight_decay!r}")
        if isinstance(self.target_modules, str):
            raise InputError("target_modules: expected a sequence of names, got one text")
        object.__setattr__(self, "target_modules", tuple(self.target_modules))
