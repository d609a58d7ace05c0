"""symspellpy as a corrector, to be compared with: what most people take."""

import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyfastlm._require import require
from pyfastlm.demo.texts import TextsMissing
from pyfastlm.spelling.correction import Candidate, Correction

MODULE = "symspellpy"
WORDS = "frequency_dictionary_en_82_765.txt"
EDITS = 2
PREFIX = 7  # letters that symspellpy indexes


class Peer(ABC):
    """A corrector by its suggestions: a query becomes the first one, where that is another.

    ``unlisted`` is the score of a query that is not among them: what a suggestion must exceed.
    """

    unlisted = -math.inf

    @abstractmethod
    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The best ``k`` texts that the query may mean."""

    def correct(self, query: str) -> Correction:
        """The first suggestion, or the query where that is better."""
        found = self.suggest(query)
        if all(item.text != query for item in found):
            found.append(Candidate(query, self.unlisted, 0.0))
        own = next(item.score for item in found if item.text == query)
        best = next((item for item in found if item.text != query), None)
        margin = -math.inf if best is None else best.score - own
        changed = best is not None and margin > 0
        found.sort(key=lambda item: -item.score)
        return Correction(best.text if best and changed else query, changed, margin, tuple(found))


class SymSpellPeer(Peer):
    """symspellpy over words or names with counts, with up to two edits.

    ``how`` is "top", "closest" or "all" (a query is looked up whole), "words" (each of its words that is all
    letters, by its top suggestion), or "compound" (word by word, with spaces repaired). The last two give one
    text. ``bigrams``: file of pairs of words with counts, which "compound" weighs.

    Raises:
        MissingExtra: symspellpy is not installed.
    """

    def __init__(
        self, terms: Iterable[tuple[str, float]], *, how: str = "closest", bigrams: str = ""
    ) -> None:
        symspellpy = require(MODULE, "demo")
        self._symspell = symspellpy.SymSpell(max_dictionary_edit_distance=EDITS, prefix_length=PREFIX)
        for term, count in terms:
            self._symspell.create_dictionary_entry(term, max(int(count), 1))
        if bigrams:
            self._symspell.load_bigram_dictionary(bigrams, 0, 2)
        self._how = how
        one_text = how in ("compound", "words")
        if not one_text:  # whose answer is always taken
            self.unlisted = -EDITS - 1.0
        self._verbosity = symspellpy.Verbosity["TOP" if one_text else how.upper()]

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The terms that symspellpy finds, nearest first."""
        if self._how == "words":
            words = [self._of_word(word) for word in query.split(" ")]
            cost = float(sum(distance for _, distance in words))
            return [Candidate(" ".join(word for word, _ in words), -cost, cost)]
        if self._how == "compound":
            found: list[Any] = self._symspell.lookup_compound(query, EDITS)
        else:
            found = self._symspell.lookup(query, self._verbosity, EDITS)
        return [Candidate(item.term, float(-item.distance), float(item.distance)) for item in found[:k]]

    def _of_word(self, word: str) -> tuple[str, int]:
        if not word.isalpha():
            return word, 0
        found = self._symspell.lookup(word, self._verbosity, EDITS)
        return (found[0].term, found[0].distance) if found else (word, 0)


def english() -> list[tuple[str, float]]:
    """The words that symspellpy brings, with their counts, as they stand there: the most frequent first.

    Raises:
        TextsMissing: the package is not installed, or not what is expected.
    """
    found = importlib.util.find_spec(MODULE)
    if found is None or not found.submodule_search_locations:
        raise TextsMissing("it is not installed")
    try:
        text = (Path(found.submodule_search_locations[0]) / WORDS).read_text("utf-8-sig")
        lines = (line.rpartition(" ") for line in text.splitlines())
        return [(word, float(count)) for word, _, count in lines]
    except (OSError, ValueError) as error:
        raise TextsMissing(f"its words cannot be read: {error}") from None
