"""What a builder makes of its rows: pairs of one schema, and the reason for every row that gave none."""

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from pyfastlm.preference.pairs import PreferencePair

Z = 1.959963984540054  # of a normal distribution, for 95 %


class Reason(StrEnum):
    """Why a row gave no pair."""

    BLANK = "no answer to begin with"
    AMBIGUOUS = "the answer holds the marker itself"
    FAILED = "the reviser failed"
    EMPTY = "nothing written"
    CUT_OFF = "cut off"
    NO_MARKER = "no marker"
    UNCHANGED = "equal to the original"
    TOO_LONG = "too long"
    MENTIONS = "mentions the revision"
    TIE = "the judge is undecided"


class Outcome(NamedTuple):
    """Of one row: a pair, or the reason why there is none, with a ``detail`` in one line."""

    pair: PreferencePair | None
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True)
class Yield:
    """How many rows gave pairs, and why the others did not.

    Attributes:
        rows: how many there were.
        pairs: how many gave one.
        reasons: of each reason that occurred, how many rows; in the order of :class:`Reason`.
    """

    rows: int
    pairs: int
    reasons: dict[Reason, int]

    @property
    def rate(self) -> float:
        """Share of rows that gave pairs; NaN where there were none."""
        return self.pairs / self.rows if self.rows else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of :attr:`rate`."""
        return wilson(self.pairs, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        reasons = {reason.value: count for reason, count in self.reasons.items()}
        return {
            "rows": self.rows,
            "pairs": self.pairs,
            "rate": self.rate,
            "interval": list(self.interval),
            "reasons": reasons,
        }

    def cells(self) -> list[list[str]]:
        """Rows of a table: outcome, how many, share with its interval."""
        counts = [("pairs", self.pairs), *((reason.value, count) for reason, count in self.reasons.items())]
        return [[name, f"{count:,}", _share(count, self.rows)] for name, count in counts]


@dataclass(frozen=True)
class Built:
    """What a builder returns; ``outcomes`` has one for each row, in their order."""

    outcomes: tuple[Outcome, ...]

    @cached_property
    def pairs(self) -> list[PreferencePair]:
        """Those of the rows that gave one, in the order of the rows."""
        return [outcome.pair for outcome in self.outcomes if outcome.pair is not None]

    @cached_property
    def statistics(self) -> Yield:
        """Counts of the outcomes."""
        found = Counter(outcome.reason for outcome in self.outcomes)
        reasons = {reason: found[reason] for reason in Reason if found[reason]}
        return Yield(len(self.outcomes), len(self.pairs), reasons)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    half = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _share(count: int, rows: int) -> str:
    low, high = wilson(count, rows)
    return f"{count / rows:.3f} [{low:.3f}, {high:.3f}]"
