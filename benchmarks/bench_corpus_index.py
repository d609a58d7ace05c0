"""pyfastlm.memorization.CorpusIndex beside its peers, one group per task, equal counts asserted first.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_corpus_index.py --benchmark-json=out.json

The corpus is 100 MB of source files in Python, of the standard library and of the packages of this
environment, each text once; a file is a document. Patterns are cut from random places of it. A scan by
``bytes.count`` counts no occurrences that overlap: it is timed because none is faster, and ``find``, which
counts them, says what is right.

Building an index takes infini-gram and tokengrams minutes for some MB of such text: they get 300 kB. They are
not in the extra ``bench``, and their tests are skipped where they are missing.
"""

import os
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import corpus_peers as peers
import numpy as np
import pytest
from memory import in_fresh_process, linux_only, resident
from rates import least

from pyfastlm.memorization import CorpusIndex

pydivsufsort = pytest.importorskip("pydivsufsort")
pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
SIZE = int(os.environ.get("PYFASTLM_BENCH_BYTES", 100_000_000))
LENGTHS = (4, 12, 50)
SEPARATOR = b"\xff"


@cache
def documents() -> list[bytes]:
    """Source files in UTF-8, each text once, of ``SIZE`` bytes in all."""
    found: dict[bytes, None] = {}
    size = 0
    for folder in (Path(sysconfig.get_paths()["stdlib"]), Path(np.__file__).parents[1]):
        for path in sorted(folder.rglob("*.py")):
            data = path.read_bytes()[: max(SIZE - size, 0)]
            try:
                data.decode()
            except UnicodeDecodeError:
                continue
            if data and data not in found:
                found[data] = None
                size += len(data)
            if size >= SIZE:
                return [*found]
    pytest.skip(f"this environment has {size / 1e6:.0f} MB of source files, expected {SIZE / 1e6:.0f}")


@cache
def joined() -> bytes:
    """All documents, with a byte between them that none of them has."""
    return SEPARATOR.join(documents()) + SEPARATOR


@cache
def suffixes() -> np.ndarray:
    return pydivsufsort.divsufsort(np.frombuffer(joined(), np.uint8).copy())


@cache
def patterns(length: int, count: int) -> list[bytes]:
    text = joined()
    random = np.random.default_rng(length)
    starts = random.integers(0, len(text) - length, 2 * count).tolist()
    found = [text[start : start + length] for start in starts]
    return [pattern for pattern in found if SEPARATOR not in pattern][:count]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> CorpusIndex:
    return CorpusIndex.build(documents(), tmp_path_factory.mktemp("corpus") / "index")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], peers.Count]:
    makers: dict[str, Callable[[], peers.Count]] = {
        "bytes.count": lambda: joined().count,
        "find": lambda: peers.by_find(joined()),
        "sa_search": lambda: peers.by_sa_search(joined(), suffixes()),
        "bisect": lambda: peers.by_bisect(joined(), suffixes()),
    }
    return cache(lambda name: makers[name]())


ASKED = {"bytes.count": 10, "find": 5, "bisect": 2000}


@pytest.mark.parametrize("peer", ["pyfastlm", "bytes.count", "find", "sa_search", "bisect"])
@pytest.mark.parametrize("length", LENGTHS)
def test_count(
    benchmark, index: CorpusIndex, made: Callable[[str], peers.Count], length: int, peer: str
) -> None:
    benchmark.group = f"count, {length} bytes"
    asked = patterns(length, 20_000)[: ASKED.get(peer, 20_000)]
    count = index.count if peer == "pyfastlm" else made(peer)
    for pattern in asked[:200]:
        if peer == "bytes.count":
            assert count(pattern) <= index.count(pattern)
        else:
            assert count(pattern) == index.count(pattern)
    benchmark.pedantic(
        lambda: [count(pattern) for pattern in asked], rounds=3, warmup_rounds=peer == "pyfastlm"
    )
    benchmark.extra_info["calls"] = len(asked)
    benchmark.extra_info["us_each"] = least(benchmark) / len(asked) * 1e6


@pytest.mark.parametrize("peer", ["pyfastlm", "infini_gram", "tokengrams"])
def test_few(benchmark, tmp_path: Path, peer: str) -> None:
    benchmark.group = "count, 12 bytes, 300 kB"
    few = [document for document in documents()[:200] if len(document) < 10_000][:60]
    index = CorpusIndex.build(few, tmp_path / "corpus")
    start = time.perf_counter()
    if peer == "pyfastlm":
        count: peers.Count = CorpusIndex.build(few, tmp_path / "corpus").count
    elif peer == "infini_gram":
        count = peers.by_infini_gram(few, tmp_path)
    else:
        count = peers.by_tokengrams(SEPARATOR.join(few), tmp_path)
    benchmark.extra_info["build_seconds"] = time.perf_counter() - start
    asked = [document[at : at + 12] for document in few for at in range(0, len(document) - 12, 997)]
    assert [count(pattern) for pattern in asked] == [index.count(pattern) for pattern in asked]
    benchmark.pedantic(lambda: [count(pattern) for pattern in asked], rounds=3, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(asked)
    benchmark.extra_info["us_each"] = least(benchmark) / len(asked) * 1e6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("length", LENGTHS)
def test_count_batch(benchmark, index: CorpusIndex, length: int, threads: int) -> None:
    benchmark.group = f"count, {length} bytes"
    asked = patterns(length, 20_000)
    found = index.count_batch(asked, threads=threads)
    assert found[:500].tolist() == [index.count(pattern) for pattern in asked[:500]]
    benchmark.extra_info["peer"] = "pyfastlm_batch"
    benchmark.pedantic(lambda: index.count_batch(asked, threads=threads), rounds=5, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(asked)
    benchmark.extra_info["us_each"] = least(benchmark) / len(asked) * 1e6


def test_longest(benchmark, index: CorpusIndex) -> None:
    """A text that the corpus does not have as it is: lines of it in another order."""
    benchmark.group = "longest match at each place"
    lines = joined()[5_000_000:5_200_000].replace(SEPARATOR, b"").splitlines(keepends=True)
    query = b"".join(sorted(lines, key=lambda line: line[::-1]))[:100_000]
    found = index.longest(query, threads=1)
    for at in range(0, len(query), 9973):
        length = int(found.lengths[at])
        assert joined().count(query[at : at + length]) >= 1
        assert SEPARATOR in query or joined().count(query[at : at + length + 1]) == 0
    benchmark.pedantic(lambda: index.longest(query, threads=1), rounds=3)
    benchmark.extra_info["us_each"] = least(benchmark) / len(query) * 1e6


def built(path: str) -> dict[str, float]:
    """In a process of its own."""
    data = documents()
    before = resident("VmRSS") / 1024
    start = time.perf_counter(), time.process_time()
    CorpusIndex.build(data, path)
    return {
        "seconds": time.perf_counter() - start[0],
        "processor_seconds": time.process_time() - start[1],
        "peak_mib": resident("VmHWM") / 1024 - before,
        "bytes_each": os.path.getsize(path) / sum(map(len, data)),
    }


def opened(path: str, how: str) -> dict[str, float]:
    start = time.perf_counter()
    index = CorpusIndex.open(path, verify=how == "verify")
    taken = time.perf_counter() - start
    first = time.perf_counter()
    assert index.count("import numpy") > 0
    return {"open_ms": taken * 1e3, "first_count_ms": (time.perf_counter() - first) * 1e3}


@linux_only
def test_build_and_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one build takes; the file is in the system's cache when it is opened."""
    size = sum(map(len, documents()))
    facts = in_fresh_process("bench_corpus_index", "built", str(tmp_path / "index"))
    ways = {how: in_fresh_process("bench_corpus_index", "opened", str(tmp_path / "index"), how)
            for how in ("verify", "trust")}  # fmt: skip
    with capsys.disabled():
        print(
            f"\n{size / 1e6:.0f} MB in {len(documents())} documents: {size / 1e6 / facts['seconds']:.1f} MB/s"
        )
        for name, told in {"build": facts, **ways}.items():
            print(f"{name}:", ", ".join(f"{fact} {value:.3g}" for fact, value in told.items()))


@pytest.mark.parametrize("length", [50, 200])
def test_repeated(index: CorpusIndex, capsys: pytest.CaptureFixture[str], length: int) -> None:
    """How much of the corpus it has more than once."""
    start = time.perf_counter()
    found = index.repeated(length, sample=1_000_000, draws=100_000, threads=1)
    taken = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{length} bytes that occur twice or more: at {found.share:.1%} of places, {taken:.2f} s")
