"""What all ways to decide promise and count, and what all of them refuse."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

from pyfastlm.errors import InputError
from pyfastlm.spelling.checks import checked_texts
from pyfastlm.spelling.correction import Candidate, Correction


@dataclass(frozen=True, slots=True)
class Counts:
    """What a decider has done since it was made, or since its ``counts`` were set to ``Counts()``.

    Attributes:
        asked: queries.
        changed: those that were corrected.
        read: those that a language model was asked about. Others are blank or too long for it, or have no
            other candidates to score; they stay as they are.
        overruled: those of ``read`` for which the model prefers another text than the candidate with the best
            channel score.
        fallbacks: those of ``read`` for which the model wrote what no correction may be.
    """

    asked: int = 0
    changed: int = 0
    read: int = 0
    overruled: int = 0
    fallbacks: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __str__(self) -> str:
        def of_read(number: int) -> str:
            return f"{number} ({number / self.read:.1%})" if self.read else str(number)

        return (
            f"{self.asked} queries, {self.changed} changed; the language model read {self.read}, overruled "
            f"the channel for {of_read(self.overruled)} and was not followed for {of_read(self.fallbacks)}"
        )


class Decider(Protocol):
    """Decides, for each query, between what it may have meant and leaving it alone."""

    counts: Counts

    def decide(
        self,
        queries: Sequence[str],
        candidates: Sequence[Sequence[Candidate]],
        contexts: Sequence[Sequence[str]] | None = None,
    ) -> list[Correction]:
        """A correction for each query.

        Args:
            queries: as they were typed.
            candidates: of each query, in any order; the query itself is among them. Without any, the query
                is left alone.
            contexts: of each query the names that a language model is to read, best first; None: it reads no
                names, and a prompt without a place for them.

        Raises:
            InputError: numbers differ, a text is no Unicode, a score is not finite, or a query is missing
                among its own candidates.
        """
        ...


class Asked(NamedTuple):
    """A query with its candidates and names."""

    query: str
    candidates: list[Candidate]
    names: Sequence[str] | None

    @property
    def best(self) -> str:
        """The candidate with the best channel score."""
        return max(self.candidates, key=lambda candidate: candidate.score).text


def asked(
    queries: Sequence[str],
    candidates: Sequence[Sequence[Candidate]],
    contexts: Sequence[Sequence[str]] | None,
) -> list[Asked]:
    """The arguments of :meth:`Decider.decide` query by query, checked."""
    texts = checked_texts("queries", queries)
    for name, given in (("candidates", candidates), ("contexts", contexts)):
        if given is not None and len(given) != len(texts):
            raise InputError(f"{name}: expected a list for each of {len(texts)} queries, got {len(given)}")
    found = []
    for place, (query, some) in enumerate(zip(texts, candidates, strict=True)):
        checked_texts(f"candidates[{place}]", [candidate.text for candidate in some])
        if some and query not in (candidate.text for candidate in some):
            raise InputError(f"candidates[{place}]: expected the query {query[:80]!r} itself among them")
        if not all(math.isfinite(candidate.score) for candidate in some):
            raise InputError(f"candidates[{place}]: expected finite scores")
        names = None if contexts is None else checked_texts(f"contexts[{place}]", contexts[place])
        found.append(Asked(query, list(some), names))
    return found


def kept(row: Asked) -> Correction:
    """The correction that leaves a query alone, where nothing was weighed."""
    return Correction(row.query, False, -math.inf, tuple(best_first(row.candidates)))


def best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By score; equal ones stay in their order."""
    return sorted(candidates, key=lambda candidate: -candidate.score)


def weighed(query: str, candidates: Sequence[Candidate], threshold: float) -> Correction:
    """The best candidate other than the query, where it scores above the query by more than ``threshold``."""
    ordered = best_first(candidates)
    own = next(candidate.score for candidate in ordered if candidate.text == query)
    other = next((candidate for candidate in ordered if candidate.text != query), None)
    margin = -math.inf if other is None else other.score - own
    if other is not None and margin > threshold:
        return Correction(other.text, True, margin, tuple(ordered))
    return Correction(query, False, margin, tuple(ordered))
