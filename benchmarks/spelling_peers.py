"""Other correctors behind the protocol of pyfastlm.spelling, to be measured beside it."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pyfastlm.demo.symspell import Peer, SymSpellPeer, english
from pyfastlm.spelling import Candidate

__all__ = ["HunspellPeer", "Peer", "RapidfuzzPeer", "SymSpellPeer", "english"]


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
