"""What came of asking for queries."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from pyfastlm.ir.generation.prompts import Prompt


class SyntheticQuery(NamedTuple):
    """A query that was written for a document.

    Attributes:
        document: its id.
        text: of the query.
        copied: share of the query's runs of words (:data:`pyfastlm.ir.generation.cleaning.RUN`) that are in
            the document.
        overlap: share of the query's different words that are in the document.
    """

    document: str
    text: str
    copied: float
    overlap: float


class Rejected(NamedTuple):
    """A document that gave no query: its id, why, and what the model wrote."""

    document: str
    reason: str
    text: str


@dataclass(frozen=True)
class Generated:
    """Queries by a prompt.

    Attributes:
        prompt: that asked for them.
        queries: that are kept, in the order of the documents.
        rejected: the other documents, in the same order for each filter.
        asked: how many of the texts the model had to write; the cache had the others.
    """

    prompt: Prompt
    queries: tuple[SyntheticQuery, ...]
    rejected: tuple[Rejected, ...]
    asked: int

    @property
    def kept(self) -> float:
        """Share of the documents that gave a query."""
        return len(self.queries) / max(1, len(self.queries) + len(self.rejected))

    @property
    def copied(self) -> float:
        """Mean share of a query's runs of words that are out of its document; 0 without queries."""
        return sum(each.copied for each in self.queries) / max(1, len(self.queries))

    @property
    def overlap(self) -> float:
        """Mean share of a query's words that are in its document; 0 without queries."""
        return sum(each.overlap for each in self.queries) / max(1, len(self.queries))

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Why documents gave none, and how many; the most frequent reason first."""
        counts = Counter(each.reason for each in self.rejected)
        return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
