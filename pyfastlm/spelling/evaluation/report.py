"""What is said about a corrector."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyfastlm.spelling.evaluation.outcomes import Outcomes
from pyfastlm.spelling.evaluation.timing import Latency

Interval = tuple[float, float]


class Intervals(NamedTuple):
    """95 % intervals of the fields of a report with the same names; NaN where they have no value."""

    precision: Interval
    recall: Interval
    f1: Interval
    recall_at_1: Interval
    recall_at_k: Interval
    false_correction_rate: Interval
    novel_false_correction_rate: Interval


class Slice(NamedTuple):
    """Queries that need a change, of one class of errors: ``n`` of them, the shares as of a report."""

    kind: str
    n: int
    precision: float
    recall: float
    f1: float
    recall_at_1: float
    recall_at_k: float


class Mixed(NamedTuple):
    """What a stream of queries sees of which a share of ``rate`` need a change, the rest being clean.

    Attributes:
        rate: of queries that need a change.
        accuracy: share of queries that end as they were meant; of the corrector that does nothing, 1 - rate.
        interval: of the accuracy, 95 %.
        precision: share of the changes made that are right, those of clean queries included; NaN for none.
    """

    rate: float
    accuracy: float
    interval: Interval
    precision: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Shares are 0 to 1, and NaN where there is no query that they could be of.

    Attributes:
        k: how many candidates count.
        seed: of the intervals.
        n, n_clean, n_novel: queries that need a change; that need none; new names, which need none either.
        precision: of the queries that need a change and were changed, how many into what was meant.
        recall: of all queries that need a change, how many became what was meant.
        f1: harmonic mean of the two.
        changed: of the queries that need a change, how many were changed, right or wrong.
        recall_at_1, recall_at_k: how often what was meant is the first, or one of the first ``k``, of the
            texts weighed; the query itself, which is weighed too, takes no place.
        false_correction_rate: of the clean queries, how many were changed.
        novel_false_correction_rate: of the new names.
        intervals: of these, from queries drawn anew, all misspellings of a text together.
        by_kind: of the classes of errors, by their names.
        mixed: of streams of queries with several error rates.
        latency: how long it took.
        outcomes: of each query.
    """

    k: int
    seed: int
    n: int
    n_clean: int
    n_novel: int
    precision: float
    recall: float
    f1: float
    changed: float
    recall_at_1: float
    recall_at_k: float
    false_correction_rate: float
    novel_false_correction_rate: float
    intervals: Intervals
    by_kind: tuple[Slice, ...]
    mixed: tuple[Mixed, ...]
    latency: Latency
    outcomes: Outcomes = field(repr=False)

    @property
    def exact_match(self) -> float:
        """The recall under its other name: every one of these queries needs a change."""
        return self.recall

    def as_dict(self) -> dict[str, Any]:
        """Everything but the outcomes, for JSON: None for NaN."""
        found: dict[str, Any] = {}
        for name in self.__slots__:
            if name != "outcomes":
                found[name] = _plain(getattr(self, name))
        return found | {"exact_match": _plain(self.exact_match)}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
