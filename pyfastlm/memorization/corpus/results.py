"""What a corpus index answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Where a pattern occurs, by (document, offset).

    Attributes:
        documents: int64 [found], from 0.
        offsets: int64 [found], in units (bytes of UTF-8, or tokens) from the begin of the document.
        count: how often it occurs in all; more than were found where ``limit`` was less.
    """

    documents: Array
    offsets: Array
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Longest:
    """For each unit of a query, the longest match that begins there.

    Attributes:
        lengths: int64 [units], in units; 0 where the corpus does not even have the first one.
        counts: int64 [units], how often the corpus has those; 0 where the length is 0.
        limit: matches were measured up to this length.
    """

    lengths: Array
    counts: Array
    limit: int


@dataclass(frozen=True, slots=True, eq=False)
class Continuations:
    """What follows a prefix, by (count descending, unit ascending).

    Attributes:
        units: int64 [different], bytes or token ids.
        counts: int64 [different].
        ends: how often a document ends after the prefix.
    """

    units: Array
    counts: Array
    ends: int

    @property
    def total(self) -> int:
        """How often the prefix occurs."""
        return int(self.counts.sum()) + self.ends


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Windows that a corpus has several times, each different one as likely as any other.

    Attributes:
        windows: [found, length], units.
        counts: int64 [found], how often the corpus has each.
        documents: int64 [found], where one of them lies.
        offsets: int64 [found].
        share: of the windows that were drawn, each place of the corpus as likely as any other, those that
            occur often enough: an estimate of the same share of the corpus.
        drawn: how many.
    """

    windows: Array
    counts: Array
    documents: Array
    offsets: Array
    share: float
    drawn: int
