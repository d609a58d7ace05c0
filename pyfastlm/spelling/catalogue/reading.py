"""Read catalogues and dictionaries of words with counts."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Literal, get_args

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.spelling.catalogue.entry import Entry
from pyfastlm.spelling.lines import text_lines, wrong

Format = Literal["tab", "counts"]
LOOKED_AT = 100  # lines that tell the format


def read_catalogue(path: StrPath, *, format: Format | None = None) -> Iterator[Entry]:
    """The names of a file with their popularity, in its order, read as they are asked for.

    ====================  ============================  ===================================================
    format                line                          of
    ====================  ============================  ===================================================
    ``"tab"``             name [TAB popularity]         a catalogue; a popularity left out is 1
    ``"counts"``          term count                    SymSpell's frequency dictionaries, one word or more
    ====================  ============================  ===================================================

    Spaces around a name are no part of it. A name may come more than once.

    Args:
        path: a file of UTF-8, also ``.gz`` or ``.zst``.
        format: one of the table; by default ``"tab"``, but it must be given where there is no tab and every
            one of the first ``LOOKED_AT`` lines ends in a number: "iphone 13" may be a name or a count.

    Raises:
        InputError: at once or while it is read: the file or one of its lines is not what it should be; names
            path and line.
    """
    if format is not None and format not in get_args(Format):
        raise InputError(f"format: expected tab or counts, got {format!r}")
    numbered = text_lines(path)
    first = list(islice(numbered, LOOKED_AT))
    if format is None and _counts([line for _, line in first]):
        raise wrong(
            path,
            first[0][0],
            'a name that ends in a number, or a term and its count? give format="tab" or format="counts"',
        )
    return _entries(path, chain(first, numbered), "\t" if format != "counts" else " ")


def _counts(lines: Sequence[str]) -> bool:
    return all("\t" not in line and line.rpartition(" ")[2].isdecimal() for line in lines)


def _entries(path: StrPath, numbered: Iterator[tuple[int, str]], sign: str) -> Iterator[Entry]:
    for number, line in numbered:
        name, found, value = line.rstrip(" ").rpartition(sign)
        if not found:
            if sign == " ":
                raise wrong(path, number, f"expected term count, got {line[:60]!r}")
            name, value = line, "1"
        name = name.strip()
        if not name or "\t" in name:
            what = "the name is empty" if not name else "expected name [TAB popularity], got more columns"
            raise wrong(path, number, what)
        yield Entry(name, _popularity(path, number, value))


def _popularity(path: StrPath, number: int, value: str) -> float:
    try:
        popularity = float(value)
    except ValueError:
        popularity = math.nan
    if not (popularity >= 0 and math.isfinite(popularity)):
        raise wrong(path, number, f"expected a popularity, a finite number >= 0, got {value[:60]!r}")
    return popularity
