"""Several retrievers at once, by reciprocal rank fusion."""

from collections.abc import Iterable, Sequence

from pyfastlm.errors import InputError
from pyfastlm.spelling.checks import checked_texts
from pyfastlm.spelling.context.retriever import Retriever, asked, fused

DEPTH = 50  # names that each one is asked for, or more where more are wanted


class Hybrid:
    """Puts the rankings of several retrievers together; what changes is passed on to all of them.

    Raises:
        InputError: there is no retriever.
    """

    def __init__(self, retrievers: Sequence[Retriever]) -> None:
        self._retrievers = list(retrievers)
        if not self._retrievers:
            raise InputError("retrievers: expected at least one, got none")

    def retrieve(self, queries: Sequence[str], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        texts = asked(queries, k)
        rankings = [each.retrieve(texts, max(k, DEPTH)) for each in self._retrievers]
        return [fused(of_query, k) for of_query in zip(*rankings, strict=True)]

    def add(self, names: Iterable[str]) -> None:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        new = checked_texts("names", names)
        for each in self._retrievers:
            each.add(new)

    def remove(self, names: Iterable[str]) -> None:
        """See :class:`pyfastlm.spelling.context.Retriever`."""
        old = checked_texts("names", names)
        for each in self._retrievers:
            each.remove(old)
