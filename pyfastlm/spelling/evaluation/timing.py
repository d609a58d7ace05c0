"""Ask a corrector for many queries, and how long it takes."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.spelling.correction import Correction
from pyfastlm.spelling.corrector import BatchCorrector, Corrector

BATCH = 256  # queries that are corrected together
ALONE = 200  # queries of a corrector of batches that are timed one by one


class Latency(NamedTuple):
    """Milliseconds that a query takes by itself (mean, median, 99th percentile, of ``timed`` of them), and
    queries in a second: of batches, where the corrector has them."""

    timed: int
    mean: float
    p50: float
    p99: float
    per_second: float


class Clock:
    """Asks ``speller``; ``latency`` afterwards says how long that took."""

    def __init__(self, speller: Corrector) -> None:
        self._speller = speller
        self._batch = speller if isinstance(speller, BatchCorrector) else None
        self._alone: list[float] = []
        self._asked, self._seconds = 0, 0.0

    def alone(self, queries: Sequence[str], seed: int) -> None:
        """Time single queries, some ``ALONE`` of them, where the others are answered in batches."""
        if not queries:
            return
        self._speller.correct(queries[0])  # what is loaded when first used is no part of a query's time
        if self._batch:
            drawn = random.Random(f"{seed} alone").sample(range(len(queries)), min(ALONE, len(queries)))
            for place in drawn:
                self._one(queries[place])

    def answers(self, queries: Sequence[str], what: str, progress: bool) -> Iterator[Correction]:
        """The correction of each query."""
        found = self._batches(queries, self._batch) if self._batch else self._singles(queries)
        return watched(found, len(queries), what, progress)

    @property
    def latency(self) -> Latency:
        """Of all that was asked so far."""
        taken = np.array(self._alone) * 1000
        rate = self._asked / max(self._seconds, 1e-9)
        mean, (p50, p99) = float(taken.mean()), map(float, np.percentile(taken, (50, 99)))
        return Latency(len(taken), mean, p50, p99, rate)

    def _one(self, query: str) -> tuple[Correction, float]:
        start = time.perf_counter()
        found = self._speller.correct(query)
        taken = time.perf_counter() - start
        self._alone.append(taken)
        return found, taken

    def _singles(self, queries: Iterable[str]) -> Iterator[Correction]:
        for query in queries:
            found, taken = self._one(query)
            self._asked, self._seconds = self._asked + 1, self._seconds + taken
            yield found

    def _batches(self, queries: Sequence[str], speller: BatchCorrector) -> Iterator[Correction]:
        for begin in range(0, len(queries), BATCH):
            batch = queries[begin : begin + BATCH]
            start = time.perf_counter()
            found = speller.correct_all(batch)
            self._seconds += time.perf_counter() - start
            self._asked += len(batch)
            if len(found) != len(batch):
                raise InputError(
                    f"speller: expected {len(batch)} corrections of {len(batch)} queries, got {len(found)}"
                )
            yield from found
