"""pyfastlm.index.TermIndex beside its peers, one group per task, equal results asserted before timing.

    OMP_NUM_THREADS=1 python -m pytest benchmarks/bench_term_index.py --benchmark-json=out.json

Some 1.8 million terms of real word lists (term_corpus.py). Prefixes are cut from terms drawn by their counts;
a round answers a thousand of them once each, of the short ones the slower peers fewer. ``extra_info`` has p50
and p99 of single calls, ours over 20,000, and how many of the prefixes were distinct.

datrie has room for 255 characters and gets the terms that are made of the 250 most frequent ones, all but one
in a thousand. fast-autocomplete takes 2,700 bytes for each term and gets fifty thousand of them; it needs
setuptools < 81 and pylev. TermIndex is then built on the same terms.

    PYFASTLM_BENCH_MANY=1 python -m pytest benchmarks/bench_term_index.py -k many

builds an index of forty million made-up terms: minutes, and 1 GB of disk.
"""

import bisect
import itertools
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rates import least

pytest.importorskip("wordfreq")
pytest.importorskip("symspellpy")
import term_corpus
from memory import in_fresh_process, linux_only, resident

from pyfastlm.index import TermIndex

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
K = 10
LENGTHS = (1, 2, 3, 4, 6, 8, 12)
Answer = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(term_corpus.terms().items(), tmp_path_factory.mktemp("index") / "terms")


@cache
def drawn(count: int, seed: int = 0) -> list[str]:
    """Terms drawn by their counts."""
    terms = term_corpus.terms()
    weights = np.fromiter(terms.values(), float)
    chosen = np.random.default_rng(seed).choice(len(terms), count, p=weights / weights.sum())
    names = [*terms]
    return [names[i] for i in chosen]


def prefixes(length: int, count: int) -> list[str]:
    long_enough = [term[:length] for term in drawn(40_000) if len(term) >= length]
    return long_enough[:count]


# Peers. Ties are broken as TermIndex does wherever the peer lets us.


class Bisect:
    """A sorted list, and numpy's partition of the scores in a range."""

    def __init__(self) -> None:
        terms = term_corpus.terms()
        self.keys = sorted(terms, key=str.encode)
        self.codes = [key.encode() for key in self.keys]
        # One number orders by (score descending, bytes ascending).
        order = np.argsort(-np.array([terms[key] for key in self.keys]), kind="stable")
        self.rank = np.empty(len(order), np.int64)
        self.rank[order] = np.arange(len(order))

    def __call__(self, prefix: str) -> list[str]:
        code = prefix.encode()
        lo = bisect.bisect_left(self.codes, code)
        hi = bisect.bisect_left(self.codes, code + b"\xff", lo)
        ranks = self.rank[lo:hi]
        best = np.argpartition(ranks, K)[:K] if len(ranks) > K else np.arange(len(ranks))
        return [self.keys[lo + i] for i in best[np.argsort(ranks[best])]]


@cache
def by_bisect() -> Bisect:
    return Bisect()


def by_marisa() -> Answer:
    marisa = pytest.importorskip("marisa_trie")
    terms = term_corpus.terms()
    trie = marisa.RecordTrie("<d", ((term, (score,)) for term, score in terms.items()))

    def answer(prefix: str) -> list[str]:
        found = sorted(trie.items(prefix), key=lambda item: (-item[1][0], item[0].encode()))
        return [term for term, _ in found[:K]]

    return answer


def by_sqlite() -> Answer:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table terms (term blob primary key, score real) without rowid")
    rows = ((term.encode(), score) for term, score in term_corpus.terms().items())
    connection.executemany("insert into terms values (?, ?)", rows)
    query = "select term from terms where term >= ? and term < ? order by score desc, term limit ?"

    def answer(prefix: str) -> list[str]:
        code = prefix.encode()
        return [term.decode() for (term,) in connection.execute(query, (code, code + b"\xff", K))]

    return answer


PEERS: dict[str, tuple[Callable[[], Answer], int]] = {  # and how many short prefixes a round asks
    "bisect_argpartition": (by_bisect, 1000),
    "marisa": (by_marisa, 10),
    "sqlite": (by_sqlite, 20),
}
made = cache(lambda peer: PEERS[peer][0]())


def calls(short: int, length: int) -> int:
    """How many prefixes a round asks of a peer that goes through all terms of a prefix."""
    return short if length < 4 else max(short, 100) if length < 6 else 1000


def percentiles(answer: Callable[[str], object], queries: list[str]) -> dict[str, float]:
    clock = time.perf_counter_ns
    taken = []
    for query in queries:
        start = clock()
        answer(query)
        taken.append(clock() - start)
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50_ns": p50, "p99_ns": p99, "mean_ns": float(np.mean(taken)), "distinct": len({*queries})}


@pytest.mark.parametrize("peer", ["pyfastlm", *PEERS])
@pytest.mark.parametrize("length", LENGTHS)
def test_complete(benchmark, index: TermIndex, length: int, peer: str) -> None:
    benchmark.group = f"complete, {length} characters"
    count = 1000 if peer == "pyfastlm" else calls(PEERS[peer][1], length)
    queries = prefixes(length, max(count, 20))
    answer = index.complete if peer == "pyfastlm" else made(peer)
    if peer != "pyfastlm":
        for query in queries[:20]:
            assert answer(query) == [term for term, _ in index.complete(query, K)]

    def ask() -> None:
        for query in queries[:count]:
            answer(query)

    benchmark.pedantic(ask, rounds=5, warmup_rounds=1)
    benchmark.extra_info["calls"] = count
    benchmark.extra_info |= percentiles(
        answer, prefixes(length, 20_000) if peer == "pyfastlm" else queries[:count]
    )


@cache
def for_datrie() -> dict[str, float]:
    terms = term_corpus.terms()
    frequent = {character for character, _ in Counter("".join(terms)).most_common(250)}
    return {term: score for term, score in terms.items() if frequent.issuperset(term)}


@cache
def by_datrie() -> Answer:
    datrie = pytest.importorskip("datrie")
    terms = for_datrie()
    trie = datrie.Trie({character for term in terms for character in term})
    for term in sorted(terms):  # in any other order it takes very much longer
        trie[term] = int(terms[term])

    def answer(prefix: str) -> list[str]:
        found = sorted(trie.items(prefix), key=lambda item: (-item[1], item[0].encode()))
        return [term for term, _ in found[:K]]

    return answer


@pytest.fixture(scope="module")
def index_for_datrie(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(for_datrie().items(), tmp_path_factory.mktemp("datrie") / "terms")


@pytest.mark.parametrize("peer", ["pyfastlm", "datrie"])
@pytest.mark.parametrize("length", LENGTHS)
def test_datrie(benchmark, index_for_datrie: TermIndex, length: int, peer: str) -> None:
    ours = index_for_datrie.complete
    benchmark.group = f"complete, {length} characters, {len(for_datrie())} terms"
    queries = [term[:length] for term in drawn(40_000) if len(term) >= length and term in for_datrie()]
    count = 1000 if peer == "pyfastlm" else calls(5, length)
    answer = ours if peer == "pyfastlm" else by_datrie()
    if peer != "pyfastlm":
        for query in queries[:count]:
            assert answer(query) == [term for term, _ in ours(query, K)]
    benchmark.pedantic(lambda: [answer(query) for query in queries[:count]], rounds=3, warmup_rounds=1)
    benchmark.extra_info["calls"] = count


@pytest.mark.parametrize("peer", ["pyfastlm", "fast_autocomplete"])
def test_fast_autocomplete(benchmark, tmp_path: Path, peer: str) -> None:
    """It answers by rules of its own; ``same`` is the share of queries with our terms."""
    benchmark.group = "complete, 3 characters, fifty thousand terms"
    few = dict(sorted(term_corpus.terms().items(), key=lambda item: -item[1])[:50_000])
    queries = [term[:3] for term in drawn(2000) if term in few and len(term) >= 3][:300]
    answer = ours = TermIndex.build(few.items(), tmp_path / "few").complete
    if peer == "fast_autocomplete":
        try:
            import fast_autocomplete
        except ImportError as error:  # pkg_resources, or a package that measures distances
            pytest.skip(f"fast_autocomplete: {' '.join(str(error).split())[:100]}")
        engine = fast_autocomplete.AutoComplete(words={term: {} for term in few})
        for term, score in few.items():
            engine.update_count_of_word(term, count=int(score))

        def answer(query: str, k: int) -> list[list[str]]:
            return engine.search(query, max_cost=0, size=k)

        same = [
            {" ".join(words) for words in answer(q, K)} == {term for term, _ in ours(q, K)} for q in queries
        ]
        benchmark.extra_info["same"] = sum(same) / len(same)
    benchmark.pedantic(lambda: [answer(query, K) for query in queries], rounds=3, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(queries)


# Words in any order


def by_fts5() -> Answer:
    """sqlite's inverted index; rows are numbered in our order, so that the first ones are the best."""
    connection = sqlite3.connect(":memory:")
    tokens = "unicode61 remove_diacritics 0 categories 'L* M* N* P* S* C*'"  # spaces part words, nothing else
    connection.execute(
        f"""create virtual table terms using fts5(term, detail=none, prefix='1 2 3', tokenize="{tokens}")"""
    )
    order = sorted(term_corpus.terms().items(), key=lambda item: (-item[1], item[0].encode()))
    connection.executemany("insert into terms (term) values (?)", ((term,) for term, _ in order))
    connection.execute("insert into terms (terms) values ('optimize')")

    def answer(query: str) -> list[str]:
        *whole, partial = (f'"{word}"' for word in query.split(" "))
        match = " AND ".join([*whole, partial + " *"] if partial != '""' else whole)
        select = "select term from terms where terms match ? order by rowid limit ?"
        return [term for (term,) in connection.execute(select, (match, K))]

    return answer


fts5 = cache(by_fts5)


def word_queries(kind: str, count: int) -> list[str]:
    """Words of terms of two, the second one first; for three, of two such terms."""
    pairs = [term.split(" ") for term in drawn(80_000, seed=1) if term.count(" ") == 1]
    queries = []
    for i, ((first, second), (third, _)) in enumerate(itertools.pairwise(pairs)):
        partial = first if kind != "two and a partial one" else third
        queries.append(
            {
                "a partial one": second[: 1 + i % 6],
                "a whole one": second + " ",
                "a whole and a partial one": f"{second} {partial[: 1 + i % 6]}",
                "two and a partial one": f"{second} {first} {partial[: 1 + i % 3]}",
                "the and a letter": f"the {first[:1]}",
            }[kind]
        )
    # A peer that does not ask for a further word answers others.
    further = [q for q in queries if not any(w.startswith(q.split(" ")[-1]) for w in q.split(" ")[:-1])]
    return (queries if kind == "a whole one" else further)[:count]


@pytest.mark.parametrize("peer", ["pyfastlm", "fts5"])
@pytest.mark.parametrize(
    "kind",
    [
        "a partial one",
        "a whole one",
        "a whole and a partial one",
        "two and a partial one",
        "the and a letter",
    ],
)
def test_conjunctive(benchmark, index: TermIndex, kind: str, peer: str) -> None:
    benchmark.group = f"conjunctive, {kind}"
    queries = word_queries(kind, 5000 if peer == "pyfastlm" else 200)

    def ours(query: str) -> list[tuple[str, float]]:
        return index.complete(query, K, mode="conjunctive")

    if peer == "pyfastlm":
        assert index.complete_batch(queries, K, mode="conjunctive").exact.all()
    else:
        for query in queries:
            assert fts5()(query) == [term for term, _ in ours(query)]
    answer = ours if peer == "pyfastlm" else fts5()
    asked = queries[: 1000 if peer == "pyfastlm" else 50]
    benchmark.pedantic(lambda: [answer(query) for query in asked], rounds=5, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(asked)
    benchmark.extra_info |= percentiles(answer, queries)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["by count", "evenly"])
def test_batch(benchmark, index: TermIndex, kind: str, threads: int) -> None:
    benchmark.group = f"complete_batch, 1 to 10 characters, terms drawn {kind}"
    benchmark.extra_info["peer"] = "pyfastlm"
    source = drawn(40_000) if kind == "by count" else random.Random(0).sample([*term_corpus.terms()], 40_000)
    queries = [term[: 1 + i % 10] for i, term in enumerate(source)] * 5
    found = index.complete_batch(queries, K, threads=threads).strings()
    for query, strings in list(zip(queries, found, strict=True))[:300]:
        assert strings == [term for term, _ in index.complete(query, K)]
    benchmark.pedantic(lambda: index.complete_batch(queries, K, threads=threads), rounds=7, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(queries)
    benchmark.extra_info["millions_a_second"] = len(queries) / least(benchmark) / 1e6


def test_strings(benchmark, index: TermIndex) -> None:
    benchmark.group = "the strings of a batch"
    answers = index.complete_batch([term[: 1 + i % 10] for i, term in enumerate(drawn(40_000))], K)
    count = int((answers.ids >= 0).sum())
    benchmark.pedantic(answers.strings, rounds=5, warmup_rounds=1)
    benchmark.extra_info["millions_a_second"] = count / least(benchmark) / 1e6


def with_edits(text: str, edits: int, rng: random.Random) -> str:
    """Edits anywhere but at the first character."""
    letters = [*text]
    for _ in range(edits):
        i = rng.randrange(1, len(letters))
        match rng.randrange(4):
            case 0:
                letters[i] = rng.choice("abcdefghijklmnopqrstuvwxyz")
            case 1:
                letters.insert(i, rng.choice("abcdefghijklmnopqrstuvwxyz"))
            case 2 if len(letters) > 2:
                del letters[i]
            case _:
                letters[i - 1 : i + 1] = letters[i - 1 : i + 1][::-1] if i > 1 else letters[i - 1 : i + 1]
    return "".join(letters)


def variants(text: str) -> set[str]:
    """All strings one edit from ``text`` that keep its first character, of small Latin letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    splits = [(text[:i], text[i:]) for i in range(1, len(text) + 1)]
    return {
        text,
        *(a + b[1:] for a, b in splits if b),
        *(a + c + b[1:] for a, b in splits if b for c in letters),
        *(a + c + b for a, b in splits for c in letters),
        *(a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1),
    }


@pytest.mark.parametrize(("edits", "peer"), [(1, "pyfastlm"), (1, "enumeration"), (2, "pyfastlm")])
def test_edits(benchmark, index: TermIndex, edits: int, peer: str) -> None:
    """Enumeration: every variant is completed exactly. Two edits have too many."""
    benchmark.group = f"complete with {edits} edits, 4 to 12 characters"
    rng = random.Random(edits)
    queries = [
        with_edits(term[: 4 + i % 9], edits, rng) for i, term in enumerate(drawn(3000)) if len(term) > 6
    ]
    queries = queries[: 400 if peer == "pyfastlm" else 100]

    def enumerate_variants(query: str) -> object:
        best = {pair for variant in variants(query) for pair in index.complete(variant, K)}
        return sorted(best, key=lambda pair: -pair[1])[:K]

    answer = (
        (lambda query: index.complete(query, K, max_edits=edits))
        if peer == "pyfastlm"
        else enumerate_variants
    )
    benchmark.pedantic(lambda: [answer(query) for query in queries], rounds=3, warmup_rounds=1)
    benchmark.extra_info["calls"] = len(queries)
    benchmark.extra_info |= percentiles(answer, queries)


def test_build(benchmark, tmp_path: Path) -> None:
    benchmark.group = "build"
    items = [*term_corpus.terms().items()]
    random.Random(0).shuffle(items)
    index = benchmark.pedantic(TermIndex.build, (items, tmp_path / "terms"), rounds=3)
    benchmark.extra_info["terms"] = len(items)
    benchmark.extra_info["bytes_per_term"] = sum(index.parts.values()) / len(items)
    benchmark.extra_info["parts"] = {name: bytes_ / len(items) for name, bytes_ in index.parts.items()}


def opened(path: str, how: str) -> tuple[float, float]:
    """In a process of its own: milliseconds, and MiB that became resident."""
    before = resident("VmRSS")
    start = time.perf_counter()
    index = TermIndex.open(path, verify=how == "verify")
    taken = (time.perf_counter() - start) * 1e3
    assert len(index) > 0
    return taken, (resident("VmRSS") - before) / 1024


@linux_only
@pytest.mark.parametrize("how", ["verify", "trust"])
def test_open(index: TermIndex, capsys: pytest.CaptureFixture[str], how: str) -> None:
    """The file is in the system's cache."""
    path = index._path
    milliseconds, mebibytes = in_fresh_process("bench_term_index", "opened", str(path), how)
    with capsys.disabled():
        size = path.stat().st_size / 2**20
        print(f"\n{how}: opened in {milliseconds:.1f} ms, {mebibytes:.1f} MiB resident of {size:.1f} MiB")


MANY = 40_000_000


def made_up() -> Iterator[tuple[str, float]]:
    """Pairs of words in no order, with scores that fall like those of real terms."""
    import wordfreq

    words = [word for word in wordfreq.top_n_list("en", 20_000) if word.isalpha()]
    heads, tails = words[:8000], words[:5000]
    for i in range(MANY):
        pair = i * 15_485_863 % MANY  # a prime, so every pair comes once
        yield (
            f"{heads[pair // 5000]} {tails[pair % 5000]}",
            float(10_000_000 // (1 + i * 32_452_843 % 1_000_003)),
        )


def build_many(path: str) -> dict[str, float]:
    """In a process of its own."""
    start = time.perf_counter()
    index = TermIndex.build(made_up(), path)
    taken = time.perf_counter() - start
    peak = resident("VmHWM") / 2**20
    assert len(index) == MANY
    some = [term for (term, _), _ in zip(made_up(), range(20_000), strict=False)]
    queries = [term[: 1 + i % 12] for i, term in enumerate(some)]
    first, *again = [percentiles(index.complete, queries) for _ in range(4)]
    best = min(again, key=lambda times: times["p50_ns"])
    return {
        "seconds": taken,
        "peak_gib": peak,
        "bytes_per_term": os.path.getsize(path) / MANY,
        "bytes_of_a_term": sum(len(term.encode()) for term in some) / len(some),
        "first_p50_us": first["p50_ns"] / 1e3,
        "p50_us": best["p50_ns"] / 1e3,
        "p99_us": best["p99_ns"] / 1e3,
    }


@linux_only
@pytest.mark.skipif("PYFASTLM_BENCH_MANY" not in os.environ, reason="minutes, and 1 GB of disk")
def test_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Forty million made-up terms: memory stays bounded and calls stay fast."""
    facts = in_fresh_process("bench_term_index", "build_many", str(tmp_path / "many"))
    with capsys.disabled():
        print("\nforty million terms:", ", ".join(f"{name} {value:.3g}" for name, value in facts.items()))
    assert facts["peak_gib"] < 3
