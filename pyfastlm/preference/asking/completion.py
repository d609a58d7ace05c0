"""What is asked, and what comes back: the protocol of revisers, judges' writers and targets."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Completion(NamedTuple):
    """What was written for one prompt.

    Attributes:
        text: as it was written.
        finished: whether it came to its own end; else a limit cut it off.
        error: why there is nothing, one line; such a prompt is asked again by the next run.
    """

    text: str
    finished: bool = True
    error: str = ""


class Writer(Protocol):
    """Anything that writes one text for each prompt of a batch, in their order.

    A plain function from a list of strings to a list of strings will do; ``None`` stands for nothing written.
    Where it has an attribute ``identity`` (a string that changes with every setting), answers are kept under
    it; else under the name and the code of the function, or of the class and its ``__call__``. An attribute
    ``batch_size`` says how many prompts it wants at once.

    What it raises counts against the prompts it was given, one by one, except an
    :class:`pyfastlm.errors.InputError`, which ends the run.
    """

    def __call__(self, prompts: list[str], /) -> Sequence[str | Completion | None]:
        """Write."""
        ...


Reviser = Writer
