"""The threshold of a speller, from how it treats queries that need no correction."""

import math
from collections.abc import Iterable

from pyfastlm.errors import InputError


def threshold_for_rate(margins: Iterable[float], rate: float, *, confidence: float = 0.95) -> float:
    """The lowest threshold under which, as far as ``margins`` show, clean queries are rarely changed.

    Clean queries drawn like these are changed at a rate of ``rate`` or less; were they all drawn anew, this
    would fail to hold in one minus ``confidence`` of the cases at most, whatever the distribution of margins
    (a one-sided binomial bound on an order statistic). With few margins that takes a high threshold: below
    ``log(1 - confidence) / log(1 - rate)`` of them (59 for 5 %, 299 for 1 %) it is infinite, and nothing is
    corrected.

    Args:
        margins: of corrections of clean queries, from development data (:attr:`Correction.margin`); minus
            infinity where nothing else was found.
        rate: of false corrections, above 0 and below 1.
        confidence: above 0 and below 1.

    Raises:
        InputError: a margin is not a number, or another argument is out of its range.
    """
    for name, value in (("rate", rate), ("confidence", confidence)):
        if not 0 < value < 1:
            raise InputError(f"{name}: expected a number above 0 and below 1, got {value!r}")
    ordered = sorted(map(float, margins), reverse=True)
    if any(math.isnan(margin) for margin in ordered):
        raise InputError("margins: expected numbers, got NaN")
    over = _tolerated(len(ordered), rate, 1 - confidence)
    return ordered[over] if over is not None else math.inf


def _tolerated(count: int, rate: float, risk: float) -> int | None:
    """The most of ``count`` clean queries that may be changed: P(Binomial(count, rate) <= it) <= risk."""
    total, found = 0.0, None
    for changed in range(count):
        choose = math.lgamma(count + 1) - math.lgamma(changed + 1) - math.lgamma(count - changed + 1)
        total += math.exp(choose + changed * math.log(rate) + (count - changed) * math.log1p(-rate))
        if total > risk:
            break
        found = changed
    return found
