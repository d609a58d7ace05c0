"""What correcting a query gives: the text, and what was weighed."""

from dataclasses import dataclass
from typing import NamedTuple


class Candidate(NamedTuple):
    """What a query may have meant.

    ``score`` is a log-probability up to a constant that all candidates of one query share: higher is
    better, and the query itself is always among them. ``cost`` is the weighted edits from the query.
    """

    text: str
    score: float
    cost: float


@dataclass(frozen=True)
class Correction:
    """The text that a query is corrected to, which is the query itself where ``changed`` is false.

    ``candidates`` come best first. ``margin`` is the score of the best one that differs from the query less
    that of the query: the query is changed where this is above the threshold of the speller. It is minus
    infinity where nothing else was found.
    """

    text: str
    changed: bool
    margin: float
    candidates: tuple[Candidate, ...]
