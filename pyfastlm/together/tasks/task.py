"""What a task is: rows, a program that answers them, when an answer is right, and what is drawn for what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pyfastlm.errors import InputError


class Row(NamedTuple):
    """An example: its name, the fields that a program is given, and the gold answer, which only the metric
    sees."""

    id: str
    inputs: Mapping[str, str]
    answer: str


class Sizes(NamedTuple):
    """Rows of each split."""

    train: int
    validation: int
    test: int


class Splits(NamedTuple):
    """Rows to bootstrap traces from, to choose programs by, and to report; no row is in two of them."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]


class Reference(NamedTuple):
    """A line beside the table that no language model drew: its name, and which test rows it gets right."""

    name: str
    right: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A task.

    Attributes:
        name: of the task.
        rows: all of them, each with another id and other inputs.
        sizes: of the splits.
        program: makes the program, a ``dspy.Module`` without demonstrations; called with the inputs of a row.
        output: the program's field that holds the answer.
        correct: whether an answer is right, given it and the gold answer.
        provenance: where the rows come from.
        references: lines to compare with, from splits.
    """

    name: str
    rows: tuple[Row, ...]
    sizes: Sizes
    program: Callable[[], Any]
    output: str
    correct: Callable[[str, str], bool]
    provenance: str
    references: Callable[[Splits], list[Reference]] = lambda splits: [majority(splits)]

    def splits(self, seed: int) -> Splits:
        """Rows of each split, drawn by ``seed``.

        Raises:
            InputError: there are fewer rows than the sizes ask for.
        """
        return draw(self.rows, self.sizes, seed)


def draw(rows: Sequence[Row], sizes: Sizes, seed: int) -> Splits:
    """Disjoint splits in a random order.

    Args:
        rows: each with another id and other inputs.
        sizes: rows of each split, at least one.
        seed: of the order.

    Raises:
        InputError: an id or the same inputs come twice, or there are too few rows.
    """
    for name, keys in (
        ("id", [row.id for row in rows]),
        ("inputs", [repr(sorted(row.inputs.items())) for row in rows]),
    ):
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f"rows: expected each {name} once, got {twice[:80]!r} twice")
    if min(sizes) < 1 or sum(sizes) > len(rows):
        raise InputError(
            f"sizes: expected 1 or more rows each and {len(rows)} at most together, got {tuple(sizes)}"
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = [rows[number] for number in order]
    ends = np.cumsum(sizes)
    return Splits(
        tuple(shuffled[: ends[0]]), tuple(shuffled[ends[0] : ends[1]]), tuple(shuffled[ends[1] : ends[2]])
    )


def majority(splits: Splits) -> Reference:
    """Always the answer that is most frequent in training (of equals the first in the alphabet)."""
    counts: dict[str, int] = {}
    for row in splits.train:
        counts[row.answer] = counts.get(row.answer, 0) + 1
    guess = min(counts, key=lambda answer: (-counts[answer], answer))
    return Reference("majority", tuple(row.answer == guess for row in splits.test))


def same(answer: str, gold: str) -> bool:
    """Equal up to case and spaces around: for answers of a closed set."""
    return answer.strip().casefold() == gold.strip().casefold()


def none(splits: Splits) -> list[Reference]:
    """No lines beside the table: answers are free, and most occur once."""
    return []
