"""Words of names and queries, and the words of a catalogue that are spelled nearly like another."""

import re
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from pyfastlm.index import TermIndex

NEAR = 3  # words that stand in for one that the catalogue does not have

_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in NFKC and case folded."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class NearWords:
    """Looks up words within two edits, one for words shorter than 5 characters, among words with counts."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        with tempfile.TemporaryDirectory() as directory:  # the open file outlives its name
            self._index = TermIndex.build(
                ((word, float(count)) for word, count in counts.items()), Path(directory) / "words"
            )

    def near(self, word: str) -> list[str]:
        """The ``NEAR`` nearest words, by (edits, count)."""
        edits = 1 if len(word) < 5 else 2
        return [match.term for match in self._index.lookup(word, max_edits=edits, k=NEAR, fix_first=False)]

    def add(self, word: str) -> None:
        """Find ``word``, too, from now on."""
        if word not in self._index:
            self._index.add(word, 1.0)
