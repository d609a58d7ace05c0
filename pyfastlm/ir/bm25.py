"""Ranking by words in common, with the library bm25s."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.lm.runner import positive

K1, B = 1.5, 0.75


class Hit(NamedTuple):
    """A document that was found, and its score."""

    document: str
    score: float


class BM25:
    """BM25 as in Lucene, over words of two or more letters or digits in small letters, without stemming.

    How rare a word is, is counted over the whole corpus, also where only a pool is ordered. Equal scores are
    ordered by the id of the document.

    Args:
        corpus: text by id.
        k1: how soon more of the same word tells nothing new, >= 0.
        b: how much long documents are held back, in [0, 1].
        stop_words: whether English stop words are left out (bm25s's list).

    Raises:
        InputError: the corpus is empty, or a number is out of range.
        MissingExtra: bm25s is not installed.
    """

    def __init__(
        self, corpus: Mapping[str, str], *, k1: float = K1, b: float = B, stop_words: bool = True
    ) -> None:
        if not corpus:
            raise InputError("corpus: expected at least one document, got none")
        if not (k1 >= 0 and 0 <= b <= 1):
            raise InputError(f"k1, b: expected k1 >= 0 and b in [0, 1], got {k1} and {b}")
        self._library = require("bm25s", "ir")
        self._stop_words = "en" if stop_words else []
        # In the order of the ids, so that a stable sort settles equals.
        self._ids = sorted(corpus)
        self._places = {key: place for place, key in enumerate(self._ids)}
        self._index: Any = None
        words = self._words([corpus[key] for key in self._ids])
        if any(words):
            self._index = self._library.BM25(k1=k1, b=b, method="lucene", dtype="float64")
            self._index.index(words, show_progress=False)

    def scores(self, query: str, documents: Iterable[str]) -> NDArray[np.float64]:
        """[documents], of each of them for a query; 0 where they have no word in common.

        Raises:
            InputError: a document is not in the corpus.
        """
        places = []
        for document in documents:
            if document not in self._places:
                raise InputError(f"documents: there is no document {document!r} in the corpus")
            places.append(self._places[document])
        return self._all(query)[np.array(places, np.int64)]

    def top(self, query: str, k: int) -> list[Hit]:
        """The best ``k`` documents that have a word of the query; fewer where there are not so many.

        Raises:
            InputError, InputTypeError: ``k`` is no whole number above 0.
        """
        scores = self._all(query)
        order = np.argsort(-scores, kind="stable")[: positive("k", k)]
        return [Hit(self._ids[place], float(scores[place])) for place in order if scores[place] > 0]

    def rank(self, query: str, document: str) -> int | None:
        """The place of a document among all, from 1; None where it has no word of the query.

        Raises:
            InputError: the document is not in the corpus.
        """
        (own,) = self.scores(query, [document])
        if own <= 0:
            return None
        scores = self._all(query)
        before = int((scores > own).sum()) + int((scores[: self._places[document]] == own).sum())
        return before + 1

    def _all(self, query: str) -> NDArray[np.float64]:
        """[corpus] in the order of the ids."""
        (words,) = self._words([query])
        known = self._index.get_tokens_ids(words) if self._index is not None else []
        if not known:
            return np.zeros(len(self._ids))
        scores: NDArray[np.float64] = self._index.get_scores_from_ids(known)
        return scores

    def _words(self, texts: list[str]) -> list[list[str]]:
        found: list[list[str]] = self._library.tokenize(
            texts, stopwords=self._stop_words, return_ids=False, show_progress=False
        )
        return found


def bm25_run(collection: Collection, index: BM25 | None = None) -> dict[str, dict[str, float]]:
    """Scores of the candidates of every query; by ``index`` over the corpus, or a new one."""
    bm25 = index or BM25(collection.corpus)
    run = {}
    for query, text in collection.query.items():
        candidates = collection.candidates(query)
        run[query] = dict(zip(candidates, bm25.scores(text, candidates).tolist(), strict=True))
    return run
