"""What all retrievers promise, and what all of them refuse."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from pyfastlm.spelling.checks import checked_k, checked_texts


class Retriever(Protocol):
    """Finds names of the catalogue for queries; the catalogue may change between calls.

    A query without a word (empty, or white space only) has no answers.
    """

    def retrieve(self, queries: Sequence[str], k: int) -> list[list[str]]:
        """For each query at most ``k`` names, best first, none twice.

        Raises:
            InputError: a query is no Unicode text, or ``k`` is no whole number >= 1.
        """
        ...

    def add(self, names: Iterable[str]) -> None:
        """Make names findable from the next call on; those that are there already stay once."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Make names no longer found from the next call on; those that are not there are passed over."""
        ...


def asked(queries: Sequence[str], k: int) -> list[str]:
    """The queries as a list.

    Raises:
        InputError: see :meth:`Retriever.retrieve`.
    """
    checked_k(k)
    return checked_texts("queries", queries)


def fused(rankings: Sequence[Sequence[str]], k: int, *, constant: int = 60) -> list[str]:
    """The best ``k`` by reciprocal rank fusion: the sum of ``1 / (constant + rank)``, ranks from 1.

    Equal sums stay in the order in which the rankings, one after the other, bring them. Source: Cormack,
    Clarke and Büttcher (2009), whose constant is 60.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (constant + rank)
    return sorted(scores, key=lambda name: -scores[name])[:k]
