"""Section on memorisation: how long a sequence must be repeated until a model gives it word for word."""

import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.demo import memorization_runs as runs
from pyfastlm.demo.memorization_runs import TRANSFORMS, Ran, Row, Size
from pyfastlm.demo.memorization_texts import PACKAGES
from pyfastlm.demo.memorization_world import WINDOW, Shape, world

REPLICATES = 2000
Key: TypeAlias = tuple[int, str, int]  # checkpoint, transform, repetitions
LEVELS = (0, 1, 10, 40, 160)
SMALL = Shape(("anarchism",), 400, 512, 32, 2, 20, 50)
MIDDLE = Shape(("anarchism",), 5000, 1024, 64, 2, 40, 200)
LARGE = Shape(tuple(PACKAGES), 1_000_000, 1024, 64, 2, 120, 1000)
QUICK = Size(SMALL, (5, 20), (0, 1, 4), 1, 1, 1, 0, share=0.2, batch_size=16)
SHORT = Size(MIDDLE, (40, 300), (0, 1, 40), 3, 1, 1, 1, share=0.04)
FULL = Size(LARGE, (100, 6000), LEVELS, 4, 4, 3, 1)


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


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The section. ``base`` are steps and bits/byte of the base model on the validation text."""

    size: Size
    parameters: int
    base: tuple[tuple[int, float], ...]
    runs: tuple[Ran, ...]
    cells: tuple[Cell, ...]
    contrasts: tuple[Contrast, ...]
    seed: int
    seconds: float

    @property
    def limit(self) -> int:
        """The most tokens that any prompt can give."""
        return WINDOW + 1 - min(runs.PREFIXES)

    @property
    def prompts(self) -> int:
        """Of each sequence."""
        return sum(WINDOW + 1 - prefix for prefix in runs.PREFIXES)

    @property
    def verdict(self) -> str:
        """What came out, in words."""
        most = max(self.size.repetitions)
        told = []
        for contrast in self.contrasts:
            if contrast.repetitions == most:
                unclear = contrast.low <= 0 <= contrast.high
                how = "no clear difference" if unclear else "more" if contrast.difference > 0 else "less"
                told.append(f"{contrast.transform} {contrast.difference:+.1f} tokens ({how})")
        return (
            f"After {most} repetitions, {self._span(most)}; never planted, {self._span(0)}. "
            f"Later checkpoint against earlier: {', '.join(told)}."
        )

    def _span(self, repetitions: int) -> str:
        own = [cell for cell in self.cells if cell.repetitions == repetitions]
        return " and ".join(
            f"{np.mean([cell.longest for cell in own if cell.transform == name]):.1f} tokens ({name})"
            for name in TRANSFORMS
        )


def learn(
    size: Size,
    *,
    cache: Path,
    seed: int,
    home: Path | None = None,
    most: int | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Memory:
    """Train a base model, continue it from two checkpoints with sentences planted, and measure.

    Args:
        size: how large the experiment is.
        cache: for texts.
        seed: of texts and intervals.
        home: directory for the runs, where an interrupted experiment goes on; None keeps nothing.
        most: continued runs; None for all.
        workers: runs at once.
        progress: show bars on standard error.

    Raises:
        TextsMissing: a package is not to be had.
    """
    if home is None:
        with tempfile.TemporaryDirectory() as directory:
            return learn(
                size,
                cache=cache,
                seed=seed,
                home=Path(directory),
                most=most,
                workers=workers,
                progress=progress,
            )
    started = time.perf_counter()
    made = world(size.shape, cache, seed)
    base = runs.base(made, size, home, progress)
    ran = list(runs.run(made, size, home, runs.tasks(size)[:most], workers=workers, progress=progress))
    parameters = sum(weight.numel() for weight in base.lm.model.parameters())
    known = tuple((entry.step, entry.bits_per_byte or np.nan) for entry in base.log)
    return summed_up(size, parameters, known, ran, seed, time.perf_counter() - started)


def summed_up(
    size: Size,
    parameters: int,
    base: tuple[tuple[int, float], ...],
    ran: Sequence[Ran],
    seed: int,
    seconds: float,
) -> Memory:
    """The tables of some runs."""
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
    return Memory(size, parameters, base, tuple(ran), cells, contrasts, seed, seconds)


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
