"""Section three: what somebody is about to search for, from an index of real terms and made-up sessions."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyfastlm.index import TermIndex
from pyfastlm.qac.comparison import Comparison, compare
from pyfastlm.qac.ladder import Suggestion, suggest
from pyfastlm.qac.sessions import FIRST_DAY, generate
from pyfastlm.qac.split import one_prefix, sample

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LMLike

# Typed as people type: beginnings, a word in the middle, slips.
TYPED = ("new", "how to m", "thnak", "universty", "of america", "credit crad")
COUNTED, WEIGHED = 20, 25  # days: counts are of those before, weights of those between, tests of those after
LATENCIES = 2000


@dataclass(frozen=True, slots=True)
class Size:
    """Sessions that are made up; rows to test on, and to weigh the language model on; engines to compare."""

    sessions: int
    rows: int
    weighed: int
    engines: tuple[str, ...]


ENGINES = ("no order", "popularity", "typos", "conjunctive", "context")
QUICK = Size(2_000, 200, 0, ENGINES)
SHORT = Size(20_000, 80, 40, (*ENGINES, "rerank"))
FULL = Size(40_000, 400, 300, (*ENGINES, "semantic", "rerank", "generate", "generate inside"))


@dataclass(frozen=True, slots=True, eq=False)
class Completion:
    """The section: an index of ``terms`` real terms, what it answers, and engines on made-up sessions.

    ``microseconds`` are the median and the 99th percentile of a call for ten terms; ``logged`` is how many
    rows the counts of the compared engines are from.
    """

    terms: int
    bytes_per_term: float
    build_seconds: float
    microseconds: tuple[float, float]
    examples: tuple[tuple[str, tuple[Suggestion, ...]], ...]
    sessions: int
    logged: int
    comparison: Comparison
    seconds: float


def complete(
    counts: Mapping[str, float], lm: "LMLike", *, size: Size, seed: int, progress: bool = False
) -> Completion:
    """Build the index of ``counts``, complete what is in ``TYPED``, and compare engines.

    Engines count the terms of the first days of the made-up sessions and are tested on the last ones.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "terms"
        index = TermIndex.build(counts.items(), path)
        built = time.perf_counter() - started
        per_term = path.stat().st_size / len(index)
        examples = tuple((typed, tuple(suggest(index, typed, 5))) for typed in TYPED)
        latencies = _latencies(index, counts)
        rows = generate(counts.items(), size.sessions, seed=seed)
        counted, weighed = (FIRST_DAY + timedelta(days=day) for day in (COUNTED, WEIGHED))
        logged = [row for row in rows if row.time < counted]
        log = TermIndex.build(Counter(row.term for row in logged).items(), Path(directory) / "log")
        later = one_prefix(rows, since=counted, seed=seed)
        between = [row for row in later if row.time < weighed and row.past]
        comparison = compare(
            log,
            sample([row for row in later if row.time >= weighed], size.rows, seed=seed),
            size.engines,
            lm=lm,
            earlier=sample(between, size.weighed, seed=seed),
            seed=seed,
            progress=progress,
        )
    return Completion(
        terms=len(counts),
        bytes_per_term=per_term,
        build_seconds=built,
        microseconds=latencies,
        examples=examples,
        sessions=size.sessions,
        logged=len(logged),
        comparison=comparison,
        seconds=time.perf_counter() - started,
    )


def _latencies(index: TermIndex, counts: Mapping[str, float]) -> tuple[float, float]:
    """Of single calls, for beginnings of one to ten letters of every so many-th term."""
    terms: Sequence[str] = list(counts)[:: max(1, len(counts) // LATENCIES)]
    prefixes = [term[: 1 + place % 10] for place, term in enumerate(terms)]
    times = []
    for prefix in prefixes:
        begun = time.perf_counter_ns()
        index.complete(prefix, 10)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]
