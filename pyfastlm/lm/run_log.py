"""The log of a training run: one dataclass of numbers a line, as JSON."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pyfastlm._durable import replacing


class Entry(Protocol):
    """A dataclass with the number of steps done."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def step(self) -> int:
        """Steps done."""
        ...


E = TypeVar("E", bound=Entry)


def read(path: Path, last_step: int, make: Callable[..., E]) -> list[E]:
    """The entries up to ``last_step``, each as ``make`` makes it of its fields; a line that a kill has torn,
    or that is no entry, ends the list."""
    found: list[E] = []
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            entry = make(**json.loads(line))
            if entry.step > last_step:
                break
        except (ValueError, TypeError):
            break
        found.append(entry)
    return found


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Replace the log by ``entries``, atomically."""
    with replacing(path, path.with_suffix(".tmp")) as file:
        for entry in entries:
            file.write(_line(entry))


def append(path: Path, entry: Entry) -> None:
    """Add one entry. The log is a convenience: what a power cut takes from it, a resumed run writes again."""
    with open(path, "ab") as file:
        file.write(_line(entry))


def _line(entry: Entry) -> bytes:
    return json.dumps(asdict(entry)).encode() + b"\n"
