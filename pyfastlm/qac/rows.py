"""A row of AmazonQAC: what somebody typed, and what they searched for in the end."""

from datetime import UTC, datetime
from typing import NamedTuple


class Search(NamedTuple):
    """A search of the same session before the row: its term, and when (UTC, naive)."""

    term: str
    time: datetime


class Row(NamedTuple):
    """A row of the train or of the test split, which differ: ``past`` and one prefix, or none and many.

    Attributes:
        query_id: names the row.
        session_id: names the session that it belongs to.
        past: searches of the session before it, oldest first; empty in the train split.
        prefixes: what stood in the search box, one for each key pressed, deletions included; one in the
            test split.
        typed: when the first of ``prefixes`` was typed (UTC, naive).
        term: the search that came of it.
        time: when (UTC, naive).
        popularity: how often the term was searched in the whole data set; None in the test split. It counts
            days to come as well: to judge by a split in time, count anew (:func:`pyfastlm.qac.count_terms`).
    """

    query_id: str
    session_id: str
    past: tuple[Search, ...]
    prefixes: tuple[str, ...]
    typed: datetime
    term: str
    time: datetime
    popularity: int | None


def parse_time(text: str) -> datetime:
    """``2023-09-13 01:23:37.449`` or ``2023-09-04T20:46:14.293Z``, as the data set has both.

    Raises:
        ValueError: it is neither.
    """
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
