"""A name of a catalogue, or a query for one, and how often it is asked for."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyfastlm.errors import InputError, InputTypeError


class Entry(NamedTuple):
    """A text and its popularity: any number of 0 or more, such as searches or sales; 1 where unknown."""

    name: str
    popularity: float = 1.0


def entries_of(names: Iterable[str | tuple[str, float]]) -> Iterator[Entry]:
    """Names alone, or pairs (name, popularity), as entries.

    Raises:
        InputError: a name is empty, or a popularity is not a finite number of 0 or more.
        InputTypeError: an item is neither.
    """
    if isinstance(names, str):
        raise InputTypeError("names: expected several, got one string")
    for item in names:
        name, popularity = (item, 1.0) if isinstance(item, str) else _both(item)
        if not name.strip():
            raise InputError(f"names: expected texts that are not empty, got {name!r}")
        if not (popularity >= 0 and math.isfinite(popularity)):
            raise InputError(f"names: expected a finite popularity >= 0, got {popularity!r} of {name!r}")
        yield Entry(name, float(popularity))


def _both(item: tuple[str, float]) -> tuple[str, float]:
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
        name, popularity = item
        if isinstance(popularity, int | float) and not isinstance(popularity, bool):
            return name, popularity
    raise InputTypeError(f"names: expected names or pairs (name, popularity), got {item!r}")
