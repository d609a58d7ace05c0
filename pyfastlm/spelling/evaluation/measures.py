"""From outcomes to shares, by sums over queries: the same for all of them and for those drawn anew."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.spelling.evaluation.outcomes import Outcomes
from pyfastlm.spelling.evaluation.report import Interval

DRAWS = 1000
LEVEL = 0.95
# Error rates of queries that people report: 5, 12 and 26 of a hundred.
RATES = (0.05, 0.12, 0.26)

Doubles = NDArray[np.float64]
Sums = Mapping[str, Doubles]  # of a column, one value for each draw


def columns(outcomes: Outcomes) -> tuple[Mapping[str, NDArray[Any]], ...]:
    """What is summed, over the queries that need a change, the clean ones and the new names."""
    needed = {
        "n": np.ones(len(outcomes.kinds), bool),
        "changed": outcomes.changed,
        "right": outcomes.right,
        "at_1": outcomes.rank == 1,
        "at_k": outcomes.rank > 0,
    }
    clean, novel = (
        {f"n_{name}": np.ones(len(part.changed), bool), f"false_{name}": part.changed}
        for name, part in (("clean", outcomes.clean), ("novel", outcomes.novel))
    )
    return needed, clean, novel


def sums(outcomes: Outcomes) -> Sums:
    """Over all queries, as one draw."""
    return {
        name: np.array([column.sum()], float) for part in columns(outcomes) for name, column in part.items()
    }


def resampled(outcomes: Outcomes, seed: int) -> Sums:
    """Over queries drawn with replacement, each of the three groups by itself, ``DRAWS`` times.

    All misspellings of a text are drawn together. Outcomes of the same queries and an equal seed draw the
    same ones: their differences are paired.
    """
    found: dict[str, Doubles] = {}
    for number, part in enumerate(columns(outcomes)):
        table = np.stack([*part.values()], axis=1).astype(float)  # [queries, columns]
        if number == 0:
            table = _together(table, outcomes.meant)
        rng = np.random.default_rng([seed, number])
        drawn = np.zeros((DRAWS, table.shape[1]))
        for row in drawn if len(table) else ():
            times = np.bincount(rng.integers(len(table), size=len(table)), minlength=len(table))
            row[:] = times @ table
        found |= dict(zip(part, drawn.T, strict=True))
    return found


def shares(sums: Sums) -> Sums:
    """The measures of a report, by their names there, one value for each draw."""
    return {
        **needed_shares(sums),
        "false_correction_rate": over(sums["false_clean"], sums["n_clean"]),
        "novel_false_correction_rate": over(sums["false_novel"], sums["n_novel"]),
    }


def needed_shares(sums: Sums) -> Sums:
    """Those of queries that need a change."""
    return {
        "precision": over(sums["right"], sums["changed"]),
        "recall": over(sums["right"], sums["n"]),
        "f1": over(2 * sums["right"], sums["changed"] + sums["n"]),
        "changed": over(sums["changed"], sums["n"]),
        "recall_at_1": over(sums["at_1"], sums["n"]),
        "recall_at_k": over(sums["at_k"], sums["n"]),
    }


def mixed_accuracy(shares: Sums, rate: float) -> Doubles:
    """Share of queries that end as they were meant where ``rate`` of them need a change."""
    return rate * shares["recall"] + (1 - rate) * (1 - shares["false_correction_rate"])


def mixed_precision(shares: Sums, rate: float) -> Doubles:
    """Share of the changes made that are right, there."""
    made = rate * shares["changed"] + (1 - rate) * shares["false_correction_rate"]
    return over(rate * shares["recall"], made)


def interval(values: Doubles) -> Interval:
    """The middle ``LEVEL`` of the draws that have a value."""
    some = values[~np.isnan(values)]
    if not len(some):
        return math.nan, math.nan
    low, high = np.quantile(some, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _together(table: Doubles, groups: NDArray[np.int32]) -> Doubles:
    """The rows of each group added up."""
    found = np.zeros((int(groups.max()) + 1, table.shape[1]))
    np.add.at(found, groups, table)
    return found


def over(part: Doubles, whole: Doubles) -> Doubles:
    """The quotient, NaN where the whole is zero."""
    found: Doubles = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return found
