"""Which names are known and which are new, by their hash: the other names do not matter."""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.spelling.catalogue.entry import Entry, entries_of

UNIT = 1 << 64


class Split(NamedTuple):
    """Names that go into the catalogue, and names held out of it, each in the order given."""

    catalogue: list[Entry]
    novel: list[Entry]


def split(
    names: Iterable[str | tuple[str, float]],
    *,
    held_out: float = 0.1,
    seed: int = 0,
    key: Callable[[str], str] = str,
) -> Split:
    """Names with their popularity, a share of ``held_out`` of them apart.

    Names that differ by case and spaces alone are on the same side. A name held out may still share words
    with the catalogue; with a ``key`` that gives the brand of a name, whole brands are held out.

    Args:
        names: or pairs (name, popularity).
        held_out: the share, more than 0 and less than 1; on average, since each name is drawn by itself.
        seed: of the draw.
        key: what decides, of a name; names with equal keys are on the same side.

    Raises:
        InputError: an argument is not what it should be.
    """
    if not 0 < held_out < 1:
        raise InputError(f"held_out: expected a number between 0 and 1, got {held_out!r}")
    found = Split([], [])
    for entry in entries_of(names):
        text = " ".join(key(entry.name).casefold().split())
        digest = hashlib.blake2b(f"{seed} {text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        held = int.from_bytes(digest, "little") < held_out * UNIT
        (found.novel if held else found.catalogue).append(entry)
    return found
