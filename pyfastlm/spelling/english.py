"""A dictionary of English with counts, for spellers to hold beside their catalogue."""

import os
from importlib.resources import files
from pathlib import Path

from pyfastlm._require import require
from pyfastlm.index import TermIndex
from pyfastlm.spelling.catalogue.reading import read_catalogue

WORDS = "frequency_dictionary_en_82_765.txt"


def build_english(path: str | os.PathLike[str]) -> TermIndex:
    """Write the index of symspellpy's 82,834 English words, with their counts in Google's books, to ``path``.

    Raises:
        MissingExtra: symspellpy is not installed.
        OSError: the file could not be written.
    """
    require("symspellpy", "spelling")
    source = Path(str(files("symspellpy").joinpath(WORDS)))
    entries = read_catalogue(source, format="counts")
    return TermIndex.build(
        ((entry.name, entry.popularity) for entry in entries),
        path,
        normalizer="nfkc_casefold",
        duplicates="max",
        similar=True,
    )
