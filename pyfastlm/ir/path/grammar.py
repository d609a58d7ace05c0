"""Prompts out of parts: for models that can follow instructions but not write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.ir.generation.prompts import Prompt

SLOTS: Mapping[str, Sequence[str]] = {
    "form": ("a search query", "a question", "a few keywords", "a short description of what is needed"),
    "reader": ("somebody", "an expert", "somebody who knows little of the subject"),
    "length": ("", " Use at most five words.", " Write one full sentence."),
    "mention": ("", " Do not use words of the document.", " Name one detail.", " Name the main subject."),
    "cue": ("Query:", "Question:", "Search:"),
}


@dataclass(frozen=True)
class Grammar:
    """All prompts that have one option for each slot.

    Attributes:
        task: what documents are searched for, put before each instruction; may be empty. It must not be
            taken from the gold queries.
        slots: options of form, reader, length, mention and cue.

    Raises:
        InputError: a slot is missing, unknown, or has no option.
    """

    task: str = ""
    slots: Mapping[str, Sequence[str]] = field(default_factory=lambda: SLOTS)

    def __post_init__(self) -> None:
        if self.slots.keys() != SLOTS.keys() or not all(self.slots.values()):
            raise InputError(
                f"slots: expected options for each of {', '.join(SLOTS)}, got "
                f"{', '.join(f'{name} ({len(options)})' for name, options in self.slots.items())}"
            )

    def __len__(self) -> int:
        """How many prompts there are."""
        return prod(len(options) for options in self.slots.values())

    def prompt(self, number: int) -> Prompt:
        """The prompt of a number from 0 up.

        Raises:
            InputError: there is no such number.
        """
        if not 0 <= number < len(self):
            raise InputError(f"number: expected 0 to {len(self) - 1}, got {number}")
        chosen = {}
        for name, options in self.slots.items():
            number, place = divmod(number, len(options))
            chosen[name] = options[place]
        task = f"{self.task.strip()} " if self.task.strip() else ""
        return Prompt(
            f"{task}Write {chosen['form']} by which {chosen['reader']} would find this document."
            f"{chosen['length']}{chosen['mention']}",
            chosen["cue"],
        )

    def draw(self, count: int, *, seed: int = 0) -> list[Prompt]:
        """Different prompts, drawn by ``seed``.

        Raises:
            InputError: there are not so many.
        """
        if not 1 <= count <= len(self):
            raise InputError(f"count: expected 1 to {len(self)} prompts, got {count}")
        return [self.prompt(int(n)) for n in np.random.default_rng(seed).permutation(len(self))[:count]]
