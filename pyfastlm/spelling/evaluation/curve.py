"""What a corrector would repair and damage with other thresholds."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.spelling.evaluation.measures import over
from pyfastlm.spelling.evaluation.report import Report

Doubles = NDArray[np.float64]
On = Literal["clean", "novel", "both"]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One value for each threshold, which rise: a query is changed where its margin is above.

    All are [thresholds] float64; the first threshold is minus infinity, with the last one nothing finite is
    changed.

    Attributes:
        thresholds: every margin that occurs.
        recall: of the queries that need a change, how many become what was meant; never rises.
        precision: of those that are changed, how many do; NaN where none is.
        false_correction_rate: of the queries that need no change, how many are changed; never rises.
    """

    thresholds: Doubles
    recall: Doubles
    precision: Doubles
    false_correction_rate: Doubles


def curve(report: Report, *, on: On = "both") -> Curve:
    """False corrections against recall, from the margins of a report.

    The texts are those that the corrector weighed best, whatever its own threshold was.

    Args:
        on: which queries the false-correction rate is of: the clean ones, the new names or both together.

    Raises:
        InputError: there is no such query.
    """
    if on not in get_args(On):
        raise InputError(f"on: expected clean, novel or both, got {on!r}")
    outcomes = report.outcomes
    parts = {"clean": [outcomes.clean], "novel": [outcomes.novel], "both": [outcomes.clean, outcomes.novel]}
    unneeded = np.concatenate([part.margin for part in parts[on]])
    if not len(unneeded):
        raise InputError(f"report: it has no queries that need no change (on={on!r})")
    margins = np.concatenate([outcomes.margin, unneeded])
    thresholds = np.unique(np.append(margins[np.isfinite(margins)], -math.inf))
    changed = _above(outcomes.margin, thresholds)
    right = _above(outcomes.margin[outcomes.best_right], thresholds)
    return Curve(
        thresholds=thresholds,
        recall=right / report.n,
        precision=over(right, changed),
        false_correction_rate=_above(unneeded, thresholds) / len(unneeded),
    )


def threshold_for(curve: Curve, rate: float) -> float:
    """The lowest threshold, so that of most recall, with a false-correction rate of ``rate`` or less.

    It fits the queries of the curve: choose it on a development part, and measure on another.

    Raises:
        InputError: ``rate`` is not from 0 to 1, or no threshold reaches it.
    """
    if not 0 <= rate <= 1:
        raise InputError(f"rate: expected a number from 0 to 1, got {rate!r}")
    enough = curve.false_correction_rate <= rate
    if not enough.any():
        least = float(curve.false_correction_rate[-1])
        raise InputError(f"rate: expected {least:.4g} or more, which every threshold leaves; got {rate!r}")
    return float(curve.thresholds[int(np.argmax(enough))])


def _above(margins: Doubles, thresholds: Doubles) -> Doubles:
    """How many margins are above each threshold."""
    return (len(margins) - np.searchsorted(np.sort(margins), thresholds, side="right")).astype(float)
