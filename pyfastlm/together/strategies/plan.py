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

    A P step bootstraps ``candidates`` sets of demonstrations from training rows, and runs these prompts and
    the original one over the validation rows. A W step runs the present prompt over the training rows once,
    and tunes as the provider of the LM says. So strategies of as many steps of each kind may spend the same:
    P-P and W-W are what two steps give without alternation. What they did spend is counted.

    Attributes:
        candidates: sets of demonstrations that a P step tries.
        demos: bootstrapped ones of a prompt, at most, for each module.
        rounds: how often a training row is run at most until its answer is right: after the first time at
            temperature 1. It is DSPy's ``max_rounds``.
        labeled: gold rows in the prompt that bootstraps demonstrations; where a set has fewer than that, gold
            rows fill it up, and one more prompt is tried that has nothing else. 0 for none: then gold answers
            are in no prompt. Rows alone are no demonstrations of a module that does not see their inputs and
            write their answer.
    """

    candidates: int = 6
    demos: int = 3
    rounds: int = 1
    labeled: int = 0

    def __post_init__(self) -> None:
        for name, least in (("candidates", 1), ("demos", 1), ("rounds", 1), ("labeled", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, got {getattr(self, name)}")


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
