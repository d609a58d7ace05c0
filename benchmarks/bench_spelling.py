"""Candidates for misspelt names out of a million: pyfastlm.spelling beside symspellpy and rapidfuzz.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_spelling.py --benchmark-json=out.json

Names of npm packages with spaces for their signs, drawn with a seed and misspelt in all eight classes of
`misspell`. PYFASTLM_BENCH_NAMES asks for another number of names: a million take symspellpy several GiB and
minutes. ``extra_info`` has p50 and p99 of single calls and the recall at 10. Memory and times of opening are
of processes of their own. Take the numbers on a quiet machine.
"""

import json
import os
import pickle
import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("symspellpy")
pytest.importorskip("rapidfuzz")
from memory import in_fresh_process, linux_only, resident
from spelling_names import some_npm_names
from spelling_odds import CACHE
from spelling_peers import RapidfuzzPeer, SymSpellPeer

from pyfastlm.index import TermIndex
from pyfastlm.spelling import Candidate, Pair, Speller, candidate_recall, misspell

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
COUNT = int(os.environ.get("PYFASTLM_BENCH_NAMES", 1_000_000))
ASKED = 2_000  # misspellings
FEW = 30  # of them for rapidfuzz, which goes through all names
K = 10
Suggest = Callable[[str, int], Sequence[Candidate | str]]


@cache
def names() -> list[str]:
    CACHE.mkdir(exist_ok=True)
    return some_npm_names(CACHE, COUNT)


@cache
def pairs() -> list[Pair]:
    drawn = random.Random(1).sample(names(), min(2 * ASKED, len(names())))
    return list(misspell(drawn, avoid=set(names())))[:ASKED]


@cache
def queries() -> list[str]:
    return [pair.noisy for pair in pairs()]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    path = tmp_path_factory.mktemp("spelling") / "names"
    return TermIndex.build(((name, 1.0) for name in names()), path, normalizer="nfkc_casefold", similar=True)


def by_similar(index: TermIndex) -> Callable[[str, int], list[str]]:
    return lambda query, k: [one.term for one in index.similar(query, k)]


def alone(suggest: Suggest, asked: list[str]) -> dict[str, float]:
    """Milliseconds of single calls, for ``K`` candidates each."""
    taken = []
    for query in asked:
        start = time.perf_counter()
        suggest(query, K)
        taken.append((time.perf_counter() - start) * 1e3)
    p50, p99 = np.percentile(taken, [50, 99])
    return {"mean_ms": float(np.mean(taken)), "p50_ms": float(p50), "p99_ms": float(p99)}


@pytest.mark.parametrize("peer", ["pyfastlm Speller.suggest", "pyfastlm TermIndex.similar", "rapidfuzz"])
def test_single(benchmark, index: TermIndex, peer: str) -> None:
    benchmark.group = f"one query of {len(names()):,} names"
    asked = queries()[:FEW] if peer == "rapidfuzz" else queries()
    if peer == "pyfastlm Speller.suggest":
        suggest: Suggest = Speller(index).suggest
    else:
        suggest = (
            by_similar(index) if peer == "pyfastlm TermIndex.similar" else RapidfuzzPeer(names()).suggest
        )
    found = candidate_recall(suggest, pairs()[: len(asked)], K)
    ours = candidate_recall(by_similar(index), pairs()[: len(asked)], K)
    assert ours.at_k >= found.at_k > 0.5
    benchmark.pedantic(lambda: [suggest(query, K) for query in asked], rounds=1 if peer == "rapidfuzz" else 3)
    benchmark.extra_info |= {"calls": len(asked), "recall_at_10": found.at_k, **alone(suggest, asked)}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("peer", ["pyfastlm Speller.correct_all", "pyfastlm TermIndex.similar_batch"])
def test_batch(benchmark, index: TermIndex, peer: str, threads: int) -> None:
    benchmark.group = f"{len(queries()):,} queries at once"
    speller = Speller(index, threads=threads)
    if peer == "pyfastlm Speller.correct_all":
        assert speller.correct_all(queries()) == [speller.correct(query) for query in queries()]
        benchmark.pedantic(speller.correct_all, (queries(),), rounds=3)
    else:
        single = [index.similar(query, K) for query in queries()]
        assert index.similar_batch(queries(), K, threads=threads) == single
        benchmark.pedantic(index.similar_batch, (queries(), K), {"threads": threads}, rounds=5)


def opened(path: str, asked: str) -> dict[str, float]:
    """In a process of its own: our index, opened, and after all queries."""
    before = resident("VmRSS")
    start = time.perf_counter()
    speller = Speller(path)
    load = time.perf_counter() - start
    for query in json.loads(Path(asked).read_text()):
        speller.suggest(query[0], K)
    return {"load_s": load, "resident_mib": (resident("VmRSS") - before) / 1024}


def pickled(listed: str, path: str) -> dict[str, float]:
    """In a process of its own: symspellpy's dictionary of the names, built and saved."""
    terms = [(name, 1.0) for name in json.loads(Path(listed).read_text())]
    start = time.perf_counter()
    peer = SymSpellPeer(terms, how="all")
    built = time.perf_counter() - start
    with open(path, "wb") as file:
        pickle.dump(peer, file, pickle.HIGHEST_PROTOCOL)
    return {"build_s": built, "mib": os.path.getsize(path) / 2**20}


def unpickled(path: str, asked: str) -> dict[str, float]:
    """In a process of its own: that dictionary, loaded and asked."""
    before = resident("VmRSS")
    start = time.perf_counter()
    with open(path, "rb") as file:
        peer = pickle.load(file)
    load = time.perf_counter() - start
    given = [Pair(*pair) for pair in json.loads(Path(asked).read_text())]
    found = candidate_recall(peer.suggest, given, K)
    memory = (resident("VmRSS") - before) / 1024
    times = alone(peer.suggest, [pair.noisy for pair in given])
    return {"load_s": load, "resident_mib": memory, "recall_at_10": found.at_k, **times}


@linux_only
def test_beside_symspellpy(index: TermIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recall at 10 on the same misspelt names, memory, and how long it takes until it can answer."""
    listed, asked, saved = (str(tmp_path / name) for name in ("names", "pairs", "symspell"))
    Path(listed).write_text(json.dumps(names()))
    Path(asked).write_text(json.dumps(pairs()))
    ours = in_fresh_process("bench_spelling", "opened", str(index._path), asked)
    recall = candidate_recall(Speller(index).suggest, pairs(), K)
    built = in_fresh_process("bench_spelling", "pickled", listed, saved)
    theirs = in_fresh_process("bench_spelling", "unpickled", saved, asked)
    size = index._path.stat().st_size / 2**20
    with capsys.disabled():
        print(f"\nours: recall@10 {recall.at_k:.3f}, file {size:.0f} MiB,", _told(ours))
        print(f"symspellpy, two edits: {_told(theirs)}; built: {_told(built)}")
    assert recall.at_k > theirs["recall_at_10"]
    assert ours["load_s"] < theirs["load_s"]
    assert ours["resident_mib"] < theirs["resident_mib"]


def _told(facts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in facts.items())
