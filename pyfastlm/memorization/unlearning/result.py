"""What unlearning came to."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pyfastlm.lm.loading import LM

Method: TypeAlias = Literal["gradient_ascent", "gradient_difference", "sparse", "pruning"]
METHODS: tuple[Method, ...] = get_args(Method)
End: TypeAlias = Literal["steps", "forgotten", "diverged"]


@dataclass(frozen=True, slots=True)
class UnlearningStep:
    """One step; number 0 is before the first.

    Attributes:
        step: steps done.
        forget: nats for each token of the sequences to forget that the step saw, before it changed anything;
            None in number 0.
        retain: the same for those to retain; None without them.
        longest: tokens that greedy decoding reproduces after the original prompts, the most over all
            sequences, after this step; None where no ``until`` asks for it.
    """

    step: int
    forget: float | None
    retain: float | None
    longest: int | None


@dataclass(frozen=True, eq=False)
class Unlearned:
    """A changed copy of a model, and how it came to be.

    Attributes:
        lm: the copy.
        method: what was done.
        steps: how many steps were done.
        ended: "steps": all were done; "forgotten": the original prompts bring back less than ``until``;
            "diverged": the loss was no number any more, and the step that would have used it was not done.
        log: an entry for each step, and one before them.
        changed: how many weights of the copy are others.
        weights: how many there are.
        seconds: without loading and copying.
    """

    lm: LM
    method: Method
    steps: int
    ended: End
    log: tuple[UnlearningStep, ...]
    changed: int
    weights: int
    seconds: float
