"""A table of words and what can stand in their place."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError

LARGEST = 64 << 20  # bytes of a file
LONGEST = 200  # characters of a word or substitute


def read_similar_words(path: "str | os.PathLike[str]") -> dict[str, list[str]]:
    """Read a table ``{word: [substitutes]}`` in JSON.

    The format of ``data/stress_test_similar_words.json`` of explanare/verbatim-memorization.

    Raises:
        InputError: the file is no such table; names the first word that is wrong.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.stat().st_size > LARGEST:
        raise InputError(f"path: expected a table of at most {LARGEST >> 20} MiB, got {str(file)!r}")
    try:
        found = json.loads(file.read_bytes().decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"path: cannot read {str(file)!r} as JSON in UTF-8: {error}") from error
    return check_similar_words(found, f"path: {str(file)!r}")


def check_similar_words(table: object, name: str) -> dict[str, list[str]]:
    """``table``, if it maps words to lists of words.

    Blank words and substitutes, which the published table has, are left out.

    Raises:
        InputError: it does not.
    """
    if not isinstance(table, Mapping) or not table:
        raise InputError(f"{name}: expected {{word: [substitutes]}}, at least one word")
    for word, substitutes in table.items():
        if not _is_text(word):
            raise InputError(f"{name}: expected words, got {word!r:.60}")
        if not isinstance(substitutes, list | tuple):
            raise InputError(
                f"{name}: expected a list of substitutes for {word!r:.60}, got {substitutes!r:.60}"
            )
        for one in substitutes:
            if not _is_text(one):
                raise InputError(f"{name}: expected words in place of {word!r:.60}, got {one!r:.60}")
    return {
        word: [one for one in substitutes if one.strip()]
        for word, substitutes in table.items()
        if word.strip()
    }


def _is_text(value: Any) -> bool:
    """Unicode, not empty, not long; the published table has words with markup and line ends around them."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        return False
    return not any("\ud800" <= one <= "\udfff" for one in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a word stands there twice")
    return found
