"""The weight of the deletion regulariser, steered so that a wanted fraction of the input is deleted."""

import math
from typing import Any

from pyfastlm.errors import InputError


class DeletionController:
    """PI controller of alpha, the weight of the regulariser.

    With ``err = target - deleted fraction``: ``p <- 0.9 p + 0.1 kp err``; ``i <- i + ki err``;
    ``alpha <- max(0, p + i)``. A training loop reads :attr:`alpha` for a micro-batch, then calls
    :meth:`observe` with what that one deleted, and :meth:`step` after each optimiser step. Nothing else moves
    it: evaluation has no access.

    Args:
        target: fraction of the non-pad tokens to delete; None keeps alpha as it is.
        alpha: to begin with; the integral starts here.
        kp, ki: proportional and integral gain.
        per_step: one update an optimiser step, from all its micro-batches; else one a micro-batch, as the
            original has it.
        anti_windup: hold the integral while alpha is at 0 and the error would push it further down. Without,
            a run that starts above its target takes as long to come back as it was above.
        regularizer_delay: optimiser steps without regulariser and without control.

    Raises:
        InputError: a value is out of range.

    Source: Kallini et al. (2024), section 3.4; ``training/trainer.py``.
    """

    def __init__(
        self,
        target: float | None = None,
        *,
        alpha: float = 0.0,
        kp: float = 0.5,
        ki: float = 1e-5,
        per_step: bool = False,
        anti_windup: bool = False,
        regularizer_delay: int = 0,
    ) -> None:
        if target is not None and not 0 <= target <= 1:
            raise InputError(f"target: expected a fraction from 0 to 1, got {target}")
        numbers = {"alpha": alpha, "kp": kp, "ki": ki, "regularizer_delay": regularizer_delay}
        for name, value in numbers.items():
            if not 0 <= value < math.inf:
                raise InputError(f"{name}: expected a finite number of at least 0, got {value}")
        self.target = target
        self.kp = kp
        self.ki = ki
        self.per_step = per_step
        self.anti_windup = anti_windup
        self.regularizer_delay = regularizer_delay
        self.steps = 0
        self._alpha = alpha
        self._proportional = 0.0
        self._integral = alpha
        self._deleted = 0
        self._total = 0

    @property
    def alpha(self) -> float:
        """Weight of the regulariser in the next micro-batch; 0 during the delay."""
        return self._alpha if self.active else 0.0

    @property
    def active(self) -> bool:
        """Whether the delay is over."""
        return self.steps >= self.regularizer_delay

    @property
    def settings(self) -> dict[str, Any]:
        """What the controller was made with, but for the first alpha; a resumed run must agree."""
        names = ("target", "kp", "ki", "per_step", "anti_windup", "regularizer_delay")
        return {name: getattr(self, name) for name in names}

    def observe(self, deleted: int, total: int) -> None:
        """Take in that ``deleted`` of ``total`` non-pad tokens of a training micro-batch were deleted.

        Raises:
            InputError: not ``0 <= deleted <= total`` with ``total`` at least 1.
        """
        if not 0 <= deleted <= total or total < 1:
            raise InputError(f"deleted: expected from 0 to total, at least 1, got {deleted} of {total}")
        if self.target is None or not self.active:
            return
        self._deleted += deleted
        self._total += total
        if not self.per_step:
            self._update()

    def step(self) -> None:
        """Count an optimiser step."""
        if self._total:
            self._update()
        self.steps += 1

    def _update(self) -> None:
        assert self.target is not None
        error = self.target - self._deleted / self._total
        self._deleted = self._total = 0
        self._proportional = 0.9 * self._proportional + 0.1 * self.kp * error
        integral = self._integral + self.ki * error
        if not (self.anti_windup and error < 0 and self._proportional + integral < 0):
            self._integral = integral
        self._alpha = max(0.0, self._proportional + self._integral)

    def state_dict(self) -> dict[str, float | int]:
        """Everything that moves, as numbers."""
        return {
            "alpha": self._alpha,
            "proportional": self._proportional,
            "integral": self._integral,
            "deleted": self._deleted,
            "total": self._total,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            InputError: a number is missing or one too many.
        """
        if set(state) != set(self.state_dict()):
            raise InputError(f"state: expected {sorted(self.state_dict())}, got {sorted(state)}")
        self._alpha = float(state["alpha"])
        self._proportional = float(state["proportional"])
        self._integral = float(state["integral"])
        self._deleted = int(state["deleted"])
        self._total = int(state["total"])
        self.steps = int(state["steps"])
