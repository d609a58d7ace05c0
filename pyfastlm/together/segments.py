"""What an answer must look like: a sequence of segments, some given, some written or chosen by the model."""

from dataclasses import dataclass
from typing import TypeAlias

from pyfastlm.errors import InputError


@dataclass(frozen=True, slots=True)
class Forced:
    """Text that is given, not drawn."""

    text: str


@dataclass(frozen=True, slots=True)
class Free:
    """Text that the model writes, up to its end token or to what ``end`` finds.

    ``name`` is that of the field. ``end`` is a regular expression; what it matches, and spaces before that,
    are not part of the text.
    """

    name: str = ""
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of ``options``, by the log-probability of each, closed by what follows it.

    Without the closing, "no" would have all of the probability of "north".

    Raises:
        InputError: there is no option, an empty one, or one twice.
    """

    name: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.options or not all(self.options) or len(set(self.options)) < len(self.options):
            raise InputError(f"options: expected different texts, at least one, got {self.options!r}")


@dataclass(frozen=True, slots=True)
class Shaped:
    """JSON that the model writes under a schema, token by token among those that are valid.

    ``schema`` is JSON text. ``closing`` is given after the value, as soon as the model has it; it belongs to
    the answer. Empty, the value has to end by itself, as an object does.
    """

    name: str
    schema: str
    closing: str = ""


Asking: TypeAlias = Free | Choice | Shaped
Segment: TypeAlias = Forced | Asking
Plan: TypeAlias = tuple[Segment, ...]
