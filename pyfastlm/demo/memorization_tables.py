"""The tables of the section on memorisation: means and intervals over sentences and seeds."""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo.memorization_plan import TRANSFORMS, Size
from pyfastlm.demo.memorization_runs import Ran, Row

REPLICATES = 2000
Key: TypeAlias = tuple[int, str, int]  # checkpoint, transform, repetitions


class Cell(NamedTuple):
    """Of one checkpoint, transform and number of repetitions: means over seeds and sequences, and 95 %
    intervals from a bootstrap over seeds and, in each, over sequences.

    ``longest`` is the mean over sequences of the most tokens that any prompt gave, ``before`` the same at the
    checkpoint, ``twin`` after as many steps without injections (NaN without a twin), ``mean`` and ``long``
    are over all prompts, ``at_limit`` is the share of prompts that could not have given more.
    """

    checkpoint: int
    transform: str
    repetitions: int
    measured: int
    sentences: int
    longest: float
    low: float
    high: float
    mean: float
    long: float
    at_limit: float
    before: float
    twin: float


class Contrast(NamedTuple):
    """``longest`` of the later checkpoint less that of the earlier one, paired by seed and sentence."""

    transform: str
    repetitions: int
    difference: float
    low: float
    high: float


def tables(size: Size, ran: Sequence[Ran], seed: int) -> tuple[tuple[Cell, ...], tuple[Contrast, ...]]:
    """All cells of some runs, and the contrasts of those that both checkpoints have."""
    by_cell: defaultdict[Key, list[Row]] = defaultdict(list)
    twins: dict[tuple[int, str, int], list[int]] = defaultdict(list)
    for row in (row for one in ran for row in one.rows):
        if row.group is None:
            twins[row.checkpoint, row.transform, row.sequence].append(row.longest)
        else:
            by_cell[row.checkpoint, row.transform, row.repetitions].append(row)
    rng = np.random.default_rng(seed)
    cells = tuple(_cell(key, by_cell[key], twins, rng) for key in sorted(by_cell))
    contrasts = tuple(
        _contrast(transform, repetitions, by_cell, size, rng)
        for transform, repetitions in itertools.product(TRANSFORMS, size.repetitions)
        if all((checkpoint, transform, repetitions) in by_cell for checkpoint in size.base)
    )
    return cells, contrasts


def _cell(
    key: Key, rows: Sequence[Row], twins: Mapping[tuple[int, str, int], list[int]], rng: np.random.Generator
) -> Cell:
    checkpoint, transform, _ = key
    low, high = _interval(_replicates([(row.seed, row.longest) for row in rows], rng))
    beside = [length for row in rows for length in twins.get((checkpoint, transform, row.sequence), ())]
    return Cell(
        *key,
        measured=len(rows),
        sentences=len({row.sequence for row in rows}),
        longest=float(np.mean([row.longest for row in rows])),
        low=low,
        high=high,
        mean=float(np.mean([row.mean for row in rows])),
        long=float(np.mean([row.long for row in rows])),
        at_limit=float(np.mean([row.at_limit for row in rows])),
        before=float(np.mean([row.before for row in rows])),
        twin=float(np.mean(beside)) if beside else np.nan,
    )


def _contrast(
    transform: str, repetitions: int, by_cell: Mapping[Key, list[Row]], size: Size, rng: np.random.Generator
) -> Contrast:
    early, late = (by_cell[checkpoint, transform, repetitions] for checkpoint in size.base)
    later = {(row.seed, row.sequence): row.longest for row in late}
    pairs = [
        (row.seed, later[row.seed, row.sequence] - row.longest)
        for row in early
        if (row.seed, row.sequence) in later
    ]
    low, high = _interval(_replicates(pairs, rng))
    return Contrast(transform, repetitions, float(np.mean([value for _, value in pairs])), low, high)


def _replicates(values: Sequence[tuple[int, float]], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means [REPLICATES] of values, given with their seeds: seeds drawn anew, and in each its values."""
    by_seed: defaultdict[int, list[float]] = defaultdict(list)
    for seed, value in values:
        by_seed[seed].append(value)
    counts = np.array([len(own) for own in by_seed.values()])
    padded = np.array([np.resize(own, counts.max()) for own in by_seed.values()])
    whole = np.zeros(REPLICATES)
    for _ in by_seed:
        seeds = rng.integers(0, len(counts), (REPLICATES, 1))
        drawn = (rng.random((REPLICATES, counts.max())) * counts[seeds]).astype(np.int64)
        there = np.arange(counts.max()) < counts[seeds]
        whole += (padded[seeds, drawn] * there).sum(axis=1) / counts[seeds][:, 0]
    return whole / len(counts)


def _interval(means: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
