"""Other correctors behind the protocol of pyfastlm.spelling, to be measured beside it."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pyfastlm.spelling import Candidate, Correction


class Peer:
    """A corrector by its suggestions: a query becomes the first one, where that is another.

    ``unlisted`` is the score of a query that is not among them: what a suggestion must exceed.
    """

    unlisted = -math.inf

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        raise NotImplementedError

    def correct(self, query: str) -> Correction:
        found = self.suggest(query)
        if all(item.text != query for item in found):
            found.append(Candidate(query, self.unlisted, 0.0))
        own = next(item.score for item in found if item.text == query)
        best = next((item for item in found if item.text != query), None)
        margin = -math.inf if best is None else best.score - own
        changed = margin > 0
        found.sort(key=lambda item: -item.score)
        return Correction(best.text if changed else query, changed, margin, tuple(found))


class SymSpellPeer(Peer):
    """symspellpy over words or names with counts.

    ``how`` is "top", "closest" or "all" (a query is looked up whole), or "compound" (word by word, with
    spaces repaired; it answers one text).
    """

    def __init__(self, terms: Iterable[tuple[str, float]], *, how: str = "closest", edits: int = 2) -> None:
        from symspellpy import SymSpell, Verbosity

        self._symspell = SymSpell(max_dictionary_edit_distance=edits, prefix_length=7)
        for term, count in terms:
            self._symspell.create_dictionary_entry(term, max(int(count), 1))
        self._edits = edits
        if how != "compound":  # whose answer is always taken
            self.unlisted = -edits - 1.0
        self._compound = how == "compound"
        self._verbosity = None if self._compound else Verbosity[how.upper()]

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        if self._compound:
            found = self._symspell.lookup_compound(query, self._edits)
        else:
            found = self._symspell.lookup(query, self._verbosity, self._edits)
        return [Candidate(item.term, float(-item.distance), float(item.distance)) for item in found[:k]]


def english() -> list[tuple[str, float]]:
    """The words that symspellpy brings, with their counts."""
    text = files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt").read_text("utf-8-sig")
    lines = (line.rpartition(" ") for line in text.splitlines())
    return [(word, float(count)) for word, _, count in lines]


class HunspellPeer(Peer):
    """Hunspell's rules and English dictionary as spylls runs them, word by word; in Python, so slow."""

    def __init__(self) -> None:
        from spylls.hunspell import Dictionary

        path = files("spylls").joinpath("hunspell", "data", "en", "en_US")
        self._dictionary = Dictionary.from_files(str(path))
        self._of_word = lru_cache(1 << 16)(self._suggestions)

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        words = query.split(" ")
        lists = [self._of_word(word) for word in words]
        # The best of all words, then what else there is for one of them.
        texts = [" ".join(found[0] for found in lists)]
        for place, found in enumerate(lists):
            best = [other[0] for other in lists]
            texts += [" ".join([*best[:place], word, *best[place + 1 :]]) for word in found[1:]]
        return [Candidate(text, float(-place), float(place)) for place, text in enumerate(texts[:k])]

    def _suggestions(self, word: str) -> tuple[str, ...]:
        if not word or self._dictionary.lookup(word):
            return (word,)
        return tuple(self._dictionary.suggest(word)) or (word,)


class RapidfuzzPeer(Peer):
    """rapidfuzz goes through all names; what is taken exceeds ``cutoff`` by ``scorer``, 100 at most."""

    def __init__(
        self, names: Iterable[str], *, scorer: Callable[..., float] | None = None, cutoff: float = 80.0
    ) -> None:
        from rapidfuzz import fuzz

        self._names: Sequence[str] = list(names)
        self._scorer: Any = scorer or fuzz.ratio
        self.unlisted = cutoff / 100

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        from rapidfuzz import process

        found = process.extract(query, self._names, scorer=self._scorer, limit=k)
        return [Candidate(name, score / 100, 1 - score / 100) for name, score, _ in found]
