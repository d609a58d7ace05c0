"""Texts of several languages from files, as span corruption and ``show`` take them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import Source, resolve
from pyfastlm.lm.files.readers import Reader

NAMED = re.compile(r"([A-Za-z0-9-]{1,20})=(.+)", re.DOTALL)
BLANK = {"empty text", "blank line"}


def read_texts(sources: Sequence[str], *, text_key: str = "text") -> dict[str, Iterator[str]]:
    """The texts of files, by language, read as they are asked for.

    Args:
        sources: each ``LANGUAGE=FILE``, or ``FILE``, whose name up to the first dot is then the language.
            Files (or globs) are those of ``pyfastlm score``: ``.txt`` with one text a line, JSON lines,
            Parquet, also compressed. Sources of one language are joined, in their order. Empty rows are
            skipped.
        text_key: key of a JSON object, or column of a Parquet file.

    Raises:
        InputError: a file is missing or of an unknown kind; while reading, a row that is no text.
    """
    found: dict[str, list[Source]] = {}
    for given in sources:
        named = NAMED.fullmatch(given)
        for source in resolve(named[2] if named else given):
            language = named[1] if named else Path(source.name).name.partition(".")[0]
            found.setdefault(language, []).append(source)
    if not found:
        raise InputError("sources: expected at least one file, got none")
    return {
        language: itertools.chain.from_iterable(_texts(source, text_key) for source in of_one)
        for language, of_one in found.items()
    }


def _texts(source: Source, text_key: str) -> Iterator[str]:
    for row in Reader((source,), text_key):
        if row.text is not None and not row.text.isspace():
            yield row.text
        elif row.text is None and row.reason not in BLANK:
            raise InputError(f"sources: {source.name!r}, row {row.row:,}: {row.reason}")
