"""Files of fastText's format: a label and a page a line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

INCLUDE, EXCLUDE = "__label__include", "__label__exclude"
_START = {True: INCLUDE.encode() + b" ", False: EXCLUDE.encode() + b" "}


def write(file: BinaryIO, examples: Iterable[tuple[bool, str]]) -> int:
    """Write examples, their texts in one line each; returns how many."""
    count = 0
    for included, text in examples:
        file.write(_START[included] + text.encode() + b"\n")
        count += 1
    return count


def read(path: Path) -> Iterator[tuple[bool, str]]:
    """The examples of a file that :func:`write` wrote."""
    with open(path, "rb") as file:
        for line in file:
            included = line.startswith(_START[True])
            yield included, line[len(_START[included]) : -1].decode()
