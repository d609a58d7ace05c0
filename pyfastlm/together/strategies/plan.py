"""Strategies: which steps in which order, and how much each step may spend."""

import re
from dataclasses import dataclass

from pyfastlm.errors import InputError

STRATEGIES = ("none", "P", "W", "P-P", "W-W", "P-W", "W-P", "P-W-P")
CONTROLS = ("gold", "failed", "random")
STEPS = {  # what each letter does; the last three are steps of controls alone
    "P": "prompts",
    "W": "weights",
    "G": "weights, from gold answers",
    "F": "weights, from failed traces",
    "R": "random traces as demonstrations",
}
FROM_NAME = {"none": "", "gold": "G", "failed": "F", "random": "R"}
STRATEGY = re.compile("[PW](-[PW])*")
TUNING = frozenset("WGF")


@dataclass(frozen=True, slots=True)
class Budget:
    """What every step of a kind may spend, in whichever strategy and place it comes.

    A P step runs the original prompt over the training rows once, and 1 + ``candidates`` prompts over the
    validation rows. A W step runs the present prompt over the training rows once, and tunes as the provider
    of the LM says. So strategies of as many steps of each kind cost the same: P-P and W-W are what two steps
    give without alternation.

    Attributes:
        candidates: prompts with demonstrations that a P step tries, beside the one without.
        demos: of a prompt, at most, for each module.
    """

    candidates: int = 6
    demos: int = 3

    def __post_init__(self) -> None:
        for name in ("candidates", "demos"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected at least 1, got {getattr(self, name)}")


def steps_of(strategy: str) -> str:
    """Letters of the steps of a strategy or control, in their order.

    Raises:
        InputError: it is neither.
    """
    if strategy in FROM_NAME:
        return FROM_NAME[strategy]
    if not STRATEGY.fullmatch(strategy):
        raise InputError(
            f"strategies: expected 'none', or P and W with '-' between them, or a control "
            f"({', '.join(CONTROLS)}), got {strategy!r}"
        )
    return strategy.replace("-", "")


def name_of(steps: str) -> str:
    """The strategy or control of these letters."""
    for name, letters in FROM_NAME.items():
        if steps == letters:
            return name
    return "-".join(steps)
