"""What methods of the index may be given. Each check returns it, or raises InputError."""

import math
import numbers
from typing import Literal, get_args

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index.edit_costs import EditCosts
from pyfastlm.index.weights import Weights

MOST_EDITS = 2

Mode = Literal["prefix", "conjunctive"]
Keyboard = Literal["qwerty", "qwertz", "azerty"]


def text(name: str, value: str) -> str:
    """``value``, which is a string."""
    if not isinstance(value, str):
        raise InputTypeError(f"{name}: expected a string, got {type(value).__name__}")
    return value


def count(k: int) -> int:
    """How many answers."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k!r}")
    return k


def edit_costs(costs: EditCosts) -> EditCosts:
    """What edits cost."""
    if not isinstance(costs, EditCosts):
        raise InputTypeError(f"costs: expected EditCosts, got {type(costs).__name__}")
    return costs


def weights_of_fit(weights: Weights) -> Weights:
    """Finite weights."""
    if not isinstance(weights, Weights):
        raise InputTypeError(f"weights: expected Weights, got {type(weights).__name__}")
    for name, weight in weights._asdict().items():
        if isinstance(weight, bool) or not isinstance(weight, numbers.Real) or not math.isfinite(weight):
            raise InputError(f"weights: expected a finite number as {name}, got {weight!r}")
    return weights


def most_edits(edits: int) -> int:
    """0, 1 or 2."""
    if isinstance(edits, bool) or not isinstance(edits, int) or not 0 <= edits <= MOST_EDITS:
        raise InputError(f"max_edits: expected 0, 1 or 2, got {edits!r}")
    return edits


def asks_for_words(mode: str) -> bool:
    """Whether the words of terms are asked for, in any order."""
    if mode not in get_args(Mode):
        raise InputError(f"mode: expected 'prefix' or 'conjunctive', got {mode!r}")
    return mode == "conjunctive"


def keyboard_for(keyboard: str | None, words: bool) -> str | None:
    """A keyboard, or none, as where ``words`` are asked for."""
    if keyboard is not None and keyboard not in get_args(Keyboard):
        raise InputError(f"keyboard: expected None, 'qwerty', 'qwertz' or 'azerty', got {keyboard!r}")
    if keyboard is not None and words:
        raise InputError(f"keyboard: expected None with mode='conjunctive', got {keyboard!r}")
    return keyboard
