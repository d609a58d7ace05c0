"""Completion by popularity: what most people searched for, among the terms that were nearly typed."""

from collections.abc import Sequence

from pyfastlm.index import TermIndex
from pyfastlm.qac.ladder import suggest
from pyfastlm.qac.query import Query

Candidate = tuple[str, float]


class Popularity:
    """The ladder of :func:`pyfastlm.qac.ladder.suggest` as an engine.

    Args:
        index: terms with their counts.
        edits, mode: as there; by default only terms that begin with the prefix.
        context: let the session reorder the terms of a stage.
    """

    def __init__(
        self, index: TermIndex, *, edits: int = 0, mode: str = "prefix", context: bool = False
    ) -> None:
        self.index = index
        self.normalizer = index.normalizer
        self._edits = edits
        self._mode = mode
        self._context = context

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        return [[term for term, _ in found] for found in self.candidates(queries, k)]

    def candidates(self, queries: Sequence[Query], k: int) -> list[list[Candidate]]:
        """The same with the scores of the index."""
        return [
            [
                (suggestion.term, suggestion.score)
                for suggestion in suggest(
                    self.index,
                    query.prefix,
                    k,
                    edits=self._edits,
                    past=query.past if self._context else (),
                    mode=self._mode,
                )
            ]
            for query in queries
        ]
