"""Examples that a model is to learn from in its context."""

from dataclasses import dataclass
from typing import NamedTuple

from pyfastlm.errors import InputError


class Example(NamedTuple):
    """A question and its answer, without spaces around them."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Task:
    """Examples of one kind, and how they are written one after the other.

    Attributes:
        name: of the task.
        examples: at least one.
        labels: all answers that there are, if there are few; what is believed of each is then asked too.
        question: has ``{input}``; the answer follows after a space.
        separator: after each answer.
        instruction: what comes first.
    """

    name: str
    examples: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    question: str = "Input: {input}\nOutput:"
    separator: str = "\n\n"
    instruction: str = ""

    def __post_init__(self) -> None:
        if not self.examples:
            raise InputError("examples: expected at least one, got none")
        for place, (given, answer) in enumerate(self.examples):
            if not given.strip() or not answer.strip():
                raise InputError(f"examples[{place}]: expected a question and an answer, got an empty one")
            if self.labels and answer not in self.labels:
                raise InputError(f"examples[{place}]: expected one of the labels, got {answer!r}")
        if len(set(self.labels)) != len(self.labels):
            raise InputError("labels: expected different ones")
        if "{input}" not in self.question:
            raise InputError(f"question: expected {{input}} in it, got {self.question!r}")

    def asked(self, example: Example) -> str:
        """The question as it is written."""
        return self.question.replace("{input}", example.input)
