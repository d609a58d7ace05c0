"""Retrieval by spelling: names that look like the query as a whole, and like its words."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from pyfastlm.index import Similar, TermIndex
from pyfastlm.spelling.context.retriever import asked, fused

WORDS = 8  # of a query that are looked up by themselves

Finder: TypeAlias = Callable[[str, int], Sequence[Similar]]


class Fuzzy:
    """Names that ``similar`` finds for the query and, if it has several words, for its first ``WORDS`` words.

    The rankings are put together by reciprocal rank fusion. The catalogue is that of ``similar``, which is
    asked at every call: whoever changes that one has nothing to tell here.

    Args:
        similar: ``similar(text, k)`` gives the ``k`` terms most like ``text``, best first.
    """

    def __init__(self, similar: Finder) -> None:
        self._similar = similar

    def retrieve(self, queries: Sequence[str], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        return [self._best(query, k) for query in asked(queries, k)]

    def add(self, names: Iterable[str]) -> None:
        """Nothing: what the index behind ``similar`` gets is found."""

    def remove(self, names: Iterable[str]) -> None:
        """Nothing: what the index behind ``similar`` loses is found no more."""

    def _best(self, query: str, k: int) -> list[str]:
        words = query.split()
        if not words:
            return []
        texts = [query, *dict.fromkeys(words[:WORDS])] if len(words) > 1 else [query]
        return fused([[match.term for match in self._similar(text, k)] for text in texts], k)


def resembling(index: TermIndex) -> Finder:
    """Terms of ``index``, which was built with ``similar=True``, that resemble a text; for :class:`Fuzzy`."""
    return lambda text, k: index.similar(text, k)
