"""Retrieval by words: BM25, with or without words that are only nearly spelled right."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.spelling.checks import checked_texts
from pyfastlm.spelling.context.retriever import asked
from pyfastlm.spelling.context.words import NearWords, words_of

K1, B = 1.5, 0.75
FOLD = 1000  # changes, or a quarter of the names if that is more, after which all is indexed anew
WORDS = 32  # of a query that count


class BM25:
    """Names that have the words of the query, by BM25 as in Lucene, with the library bm25s.

    Names that are added go to a small index beside the large one, and both are read; names that are removed
    are left out when answers are read. New names are weighed by the word counts of the large index. After
    very many changes (``FOLD``) all names are indexed anew.

    Args:
        names: of the catalogue.
        fuzzy: where the catalogue does not have a word of the query, look for its ``NEAR`` nearest words.

    Raises:
        MissingExtra: bm25s is not installed.
    """

    def __init__(self, names: Iterable[str], *, fuzzy: bool = False) -> None:
        self._fuzzy = fuzzy
        self._library = require("bm25s", "spelling")
        self._build(list(dict.fromkeys(checked_texts("names", names))))

    def retrieve(self, queries: Sequence[str], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        return [self._best(words_of(query)[:WORDS], k) for query in asked(queries, k)]

    def add(self, names: Iterable[str]) -> None:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        for name in checked_texts("names", names):
            place = self._places.get(name)
            if place is not None:
                self._gone.discard(place)
                continue
            self._places[name] = place = len(self._names)
            self._names.append(name)
            words = Counter(words_of(name))
            self._lengths.append(words.total())
            for word, count in words.items():
                self._later.setdefault(word, []).append((place, count))
                if self._near is not None:
                    self._near.add(word)
        self._fold()

    def remove(self, names: Iterable[str]) -> None:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        places = (self._places.get(name) for name in checked_texts("names", names))
        self._gone.update(place for place in places if place is not None)
        self._fold()

    def _build(self, names: list[str]) -> None:
        self._names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._gone: set[int] = set()
        self._later: dict[str, list[tuple[int, int]]] = {}  # places and counts of names that were added
        self._lengths: list[int] = []  # and their numbers of words
        self._indexed = len(names)
        words = [words_of(name) for name in names]
        counts = Counter(word for of_name in words for word in set(of_name))
        self._counts = counts
        self._mean = max(1.0, sum(map(len, words)) / max(1, len(names)))
        self._near = NearWords(counts) if self._fuzzy else None
        self._main: Any = None
        if counts:
            self._main = self._library.BM25(k1=K1, b=B, method="lucene")
            self._main.index(words, show_progress=False)

    def _fold(self) -> None:
        if len(self._lengths) + len(self._gone) > max(FOLD, self._indexed // 4):
            self._build([name for place, name in enumerate(self._names) if place not in self._gone])

    def _best(self, words: list[str], k: int) -> list[str]:
        if self._near is not None:
            known = [[word] if self._has(word) else self._near.near(word) for word in words]
            words = [word for found in known for word in found]
        places, scores = self._scored(words)
        order = np.lexsort((places, -scores))
        found: list[str] = []
        for place in places[order].tolist():
            if place not in self._gone:
                found.append(self._names[place])
                if len(found) == k:
                    break
        return found

    def _has(self, word: str) -> bool:
        return word in self._counts or word in self._later

    def _scored(self, words: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Places of names with some of ``words``, and their scores."""
        places, scores = np.empty(0, np.int64), np.empty(0)
        known = [word for word in words if word in self._counts]
        if known:
            dense = self._main.get_scores(known)
            places = np.flatnonzero(dense)
            scores = dense[places].astype(np.float64)
        later: dict[int, float] = {}
        for word in words:
            for place, count in self._later.get(word, ()):
                length = self._lengths[place - self._indexed]
                part = count / (count + K1 * (1 - B + B * length / self._mean))
                later[place] = later.get(place, 0.0) + self._rarity(word) * part
        return (
            np.concatenate([places, np.array([*later], np.int64)]),
            np.concatenate([scores, np.array([*later.values()], np.float64)]),
        )

    def _rarity(self, word: str) -> float:
        """Inverse document frequency among the names of the large index; of a new word, among all names."""
        count, total = self._counts[word], self._indexed
        if not count:
            count, total = len(self._later[word]), len(self._names)
        return math.log(1 + (total - count + 0.5) / (count + 0.5))
