"""Answers of a term index are those of comparing every term, ties included, whatever was done before."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import Match, TermIndex

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NEAR = st.text("abé\0\xff", max_size=5)
SCORE = st.integers(-2, 3).map(float) | st.floats(allow_nan=False, allow_infinity=False)


def built(terms: dict[str, float], path: Path) -> TermIndex:
    return TermIndex.build(terms.items(), path)


@pytest.fixture(scope="module")
def many() -> dict[str, float]:
    return slow.some_terms(6000, seed=1)


@pytest.fixture(scope="module")
def index(many: dict[str, float], tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return built(many, tmp_path_factory.mktemp("index") / "many.terms")


# Exactness


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(TEXT | NEAR, SCORE, max_size=30), st.lists(TEXT | NEAR, max_size=6), st.integers(1, 40)
)
def test_random_terms(tmp_path_factory, terms: dict[str, float], queries: list[str], k: int) -> None:
    index = built(terms, tmp_path_factory.getbasetemp() / "random.terms")
    assert len(index) == len(terms)
    for query in [*queries, *(term[:2] for term in terms)]:
        assert index.complete(query, k) == slow.completions(terms, query, k)
        for edits in (1, 2):
            for fix_first in (True, False):
                options = {"edits": edits, "fix_first": fix_first}
                expected = slow.completions_near(terms, query, k, **options)
                assert index.complete(query, k, max_edits=edits, fix_first=fix_first) == expected
                near = slow.matches(terms, query, **options, whole=True)[:k]
                found = index.lookup(query, k=k, max_edits=edits, fix_first=fix_first)
                assert found == [Match(term, distance, score) for distance, term, score in near]


@pytest.mark.parametrize("k", [1, 10, 16, 17, 100, 1000])
def test_every_k(index: TermIndex, many: dict[str, float], k: int) -> None:
    for query in slow.some_queries(many, 60, seed=k):
        assert index.complete(query, k) == slow.completions(many, query, k)


@pytest.mark.parametrize("fix_first", [True, False])
@pytest.mark.parametrize("edits", [1, 2])
def test_edits(index: TermIndex, many: dict[str, float], edits: int, fix_first: bool) -> None:
    few = dict(random.Random(edits).sample(sorted(many.items()), 1200))
    index = built(few, Path(index._path).with_name(f"few-{edits}-{fix_first}"))
    for query in slow.some_queries(few, 40, seed=2):
        options = {"edits": edits, "fix_first": fix_first}
        expected = slow.completions_near(few, query, 25, **options)
        assert index.complete(query, 25, max_edits=edits, fix_first=fix_first) == expected
        near = slow.matches(few, query, **options, whole=True)[:25]
        found = index.lookup(query, k=25, max_edits=edits, fix_first=fix_first)
        assert [(m.distance, m.term, m.score) for m in found] == near


def test_scores_and_membership(index: TermIndex, many: dict[str, float]) -> None:
    assert all(index.score(term) == score for term, score in many.items())
    for absent in ("zz", "abcdeabcdeabcde", "\0\0\0\0\0\0\0\0\0\0"):
        assert absent not in index
        assert index.score(absent) is None


@pytest.mark.parametrize("score", [0.0, -0.0, 5e-324, -1.7976931348623157e308, 2**53 + 1.0, 0.1])
def test_scores_are_kept_to_the_last_bit(tmp_path: Path, score: float) -> None:
    index = built({"a": score, "b": 1.5}, tmp_path / "x")
    assert index.score("a") == score


def test_scores_that_all_differ(tmp_path: Path) -> None:
    rng = random.Random(0)
    terms = {f"{rng.getrandbits(40):x}": rng.random() for _ in range(5000)}
    index = built(terms, tmp_path / "x")
    assert index.complete("", 5000) == slow.completions(terms, "", 5000)


def test_long_terms(tmp_path: Path) -> None:
    terms = {"a" * 70_000 + tail: float(len(tail)) for tail in ("", "b", "bc", "é", "c" * 200)}
    terms |= {"a" * n: 1.0 for n in range(0, 40_000, 401)}
    index = built(terms, tmp_path / "x")
    for query in ("", "a", "a" * 300, "a" * 39_999, "a" * 70_000, "a" * 70_000 + "b", "a" * 70_001, "ab"):
        assert index.complete(query, 20) == slow.completions(terms, query, 20)
    [best, *_] = index.lookup("a" * 70_000 + "cb", max_edits=2, k=1)
    assert (best.distance, best.term) == (1, "a" * 70_000 + "bc")


def test_empty(tmp_path: Path) -> None:
    index = built({}, tmp_path / "x")
    assert len(index) == 0
    assert index.complete("") == index.complete("a", max_edits=2) == index.lookup("") == []
    index.add("a", 1)
    assert index.complete("") == [("a", 1.0)]
    index.merge()
    assert index.complete("") == [("a", 1.0)]


# Many at once


@pytest.mark.parametrize("edits", [0, 1])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_batch_is_one_by_one(
    index: TermIndex, many: dict[str, float], threads: int, edits: int, tmp_path: Path
) -> None:
    index = built(many, tmp_path / "x")
    queries = slow.some_queries(many, 300, seed=5)
    for changed in (False, True):
        if changed:
            for term in list(many)[::50]:
                index.remove(term)
            index.add("abnew", 100.0)
        found = index.complete_batch(queries, 12, max_edits=edits, threads=threads)
        assert found.ids.shape == found.scores.shape == (300, 12)
        assert (found.ids.dtype, found.scores.dtype) == (np.int32, np.float32)
        for query, ids, scores, strings in zip(
            queries, found.ids, found.scores, found.strings(), strict=True
        ):
            expected = index.complete(query, 12, max_edits=edits)
            assert strings == [term for term, _ in expected]
            assert (ids >= 0).sum() == len(expected)
            assert [*scores[: len(expected)]] == [np.float32(score) for _, score in expected]
            assert (scores[len(expected) :] == -np.inf).all()
    assert index.complete_batch([], 3).ids.shape == (0, 3)


def test_strings_are_those_of_the_answer(tmp_path: Path) -> None:
    index = built({"a": 1.0, "ab": 2.0}, tmp_path / "x")
    index.add("abc", 3)
    found = index.complete_batch(["a"])
    index.remove("abc")
    index.merge()
    assert found.strings() == [["abc", "ab", "a"]]


# Building


def test_builds_are_the_same_byte_for_byte(many: dict[str, float], tmp_path: Path) -> None:
    items = [*many.items()]
    first = built(many, tmp_path / "a")
    random.Random(3).shuffle(items)
    TermIndex.build(iter(items), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    changed = built(dict(items[:4000]), tmp_path / "c")
    for term, score in items[3500:]:
        changed.add(term, score)
    changed.add("not to stay", 1)
    changed.remove("not to stay")
    changed.merge(tmp_path / "d")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "d").read_bytes()
    assert first.parts.keys() == changed.parts.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_a_build_in_little_memory_is_the_same(tmp_path: Path) -> None:
    rng = random.Random(4)
    items = [(f"{rng.getrandbits(30):x}" * 3, float(rng.randrange(9))) for _ in range(40_000)]
    for duplicates in ("last", "sum", "max"):
        paths = tmp_path / "whole", tmp_path / "runs"
        for path, memory in zip(paths, (1 << 30, 1 << 20), strict=True):
            TermIndex.build(items * 2, path, duplicates=duplicates, memory=memory)
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("duplicates", "score"), [("last", 2.0), ("sum", 6.0), ("max", 3.0)])
def test_duplicates(tmp_path: Path, duplicates: str, score: float) -> None:
    items = [("a", 1), ("b", 5), ("a", 3), ("a", 2)]
    index = TermIndex.build(items, tmp_path / "x", duplicates=duplicates)
    assert index.complete("") == sorted([("b", 5.0), ("a", score)], key=lambda item: -item[1])


def test_normalizer(tmp_path: Path) -> None:
    items = [("  Straße  ", 2), ("STRASSE", 3), ("ﬁne   Net", 1), ("net", 4), ("NETwork", 5)]
    index = TermIndex.build(items, tmp_path / "x", normalizer="nfkc_casefold", duplicates="sum")
    for opened in (index, TermIndex.open(tmp_path / "x")):
        assert opened.complete("") == [("network", 5), ("strasse", 5), ("net", 4), ("fine net", 1)]
        assert opened.complete("NET") == [("network", 5), ("net", 4)]
        assert opened.complete("FINE ") == opened.complete("fine  N") == [("fine net", 1)]
        assert opened.complete("net ") == []
        assert opened.lookup("Straßen")[0] == Match("strasse", 1, 5)
        assert "Ｎｅｔ" in opened
        assert opened.complete_batch(["ＮＥＴ"], 1).strings() == [["network"]]
    index.add(" New Term ", 9)
    index.remove("NET")
    assert index.complete("n", 2) == [("new term", 9), ("network", 5)]


# Changes


class Changing(RuleBasedStateMachine):
    """Adds, changes, removals and merges in any order."""

    @initialize(terms=st.dictionaries(NEAR, SCORE, max_size=12))
    def build(self, terms: dict[str, float]) -> None:
        self.terms = dict(terms)
        self.index = built(terms, self.path)

    @rule(term=NEAR, score=SCORE)
    def add(self, term: str, score: float) -> None:
        self.index.add(term, score)
        self.terms[term] = score

    @rule(term=NEAR, data=st.data())
    def remove(self, term: str, data: st.DataObject) -> None:
        if self.terms and data.draw(st.booleans()):
            term = data.draw(st.sampled_from(sorted(self.terms)))
        if term in self.terms:
            self.index.remove(term)
            del self.terms[term]
        else:
            with pytest.raises(KeyError):
                self.index.remove(term)

    @rule(reopen=st.booleans())
    def merge(self, reopen: bool) -> None:
        self.index.merge()
        if reopen:
            self.index = TermIndex.open(self.path)

    @rule(query=NEAR, k=st.integers(1, 20), edits=st.integers(0, 2), fix_first=st.booleans())
    def ask(self, query: str, k: int, edits: int, fix_first: bool) -> None:
        found = self.index.complete(query, k, max_edits=edits, fix_first=fix_first)
        assert found == slow.completions_near(self.terms, query, k, edits=edits, fix_first=fix_first)
        near = slow.matches(self.terms, query, edits=edits, fix_first=fix_first, whole=True)[:k]
        looked_up = self.index.lookup(query, k=k, max_edits=edits, fix_first=fix_first)
        assert [(m.distance, m.term, m.score) for m in looked_up] == near

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == len(self.terms)


def test_changes(tmp_path: Path) -> None:
    """The rules of the machine assert."""
    Changing.path = tmp_path / "x"
    machine = Changing.TestCase
    machine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
    machine().runTest()


def test_threads_ask_while_others_change_and_merge(many: dict[str, float], tmp_path: Path) -> None:
    """Terms that begin with "n" come and go in their order; all others never change."""
    fixed = {term: score for term, score in many.items() if not term.startswith("n")}
    index = built(fixed, tmp_path / "x")
    queries = slow.some_queries(fixed, 40, seed=7)[1:]
    expected = {query: slow.completions(fixed, query, 10) for query in queries if query}
    stop, wrong = threading.Event(), []

    def ask(seed: int) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            query = rng.choice([*expected])
            if index.complete(query) != expected[query]:
                wrong.append(query)
            batch = index.complete_batch([*expected], threads=2).strings()
            if batch != [[term for term, _ in answer] for answer in expected.values()]:
                wrong.append("batch")
            new = [int(term[1:]) for term, _ in index.complete("n", 1000)]
            if sorted(new) != [*range(min(new, default=0), max(new, default=-1) + 1)]:
                wrong.append(f"n: {new}")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for number in range(120):
        index.add(f"n{number}", float(number))
        if number >= 20:
            index.remove(f"n{number - 20}")
        if number % 10 == 9:
            index.merge()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(index) == len(fixed) + 20
    assert TermIndex.open(tmp_path / "x").complete("n", 1) == [("n119", 119.0)]


def test_two_merges_at_once_lose_nothing(tmp_path: Path) -> None:
    index = built({}, tmp_path / "x")

    def work(letter: str) -> None:
        for number in range(40):
            index.add(f"{letter}{number}", 1.0)
            index.merge()

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(index) == len(TermIndex.open(tmp_path / "x")) == 80


def test_an_older_opening_keeps_its_file(tmp_path: Path) -> None:
    first = built({"a": 1.0}, tmp_path / "x")
    second = TermIndex.open(tmp_path / "x")
    second.add("b", 2.0)
    second.merge()
    assert first.complete("") == [("a", 1.0)]
    assert second.complete("") == TermIndex.open(tmp_path / "x").complete("") == [("b", 2.0), ("a", 1.0)]


FORKED = """
import os, sys
from pyfastlm.index import TermIndex
index = TermIndex.open(sys.argv[1])
before = index.complete_batch(["a", "b"], threads=2).strings()
child = os.fork()
index.add("only in the child" if child == 0 else "only in the parent", 1e9)
found = index.complete_batch(["a", "b", "only"], threads=2).strings()
assert found[:2] == before, found
assert found[2] == ["only in the " + ("child" if child == 0 else "parent")], found
if child == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked_children_go_on(index: TermIndex) -> None:
    command = [sys.executable, "-c", FORKED, str(index._path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.complete(3), "prefix: expected a string, got int"),
        (lambda x: x.complete(b"a"), "prefix: expected a string, got bytes"),
        (lambda x: x.complete("\ud800"), "prefix: .*surrogate"),
        (lambda x: x.complete("a", 0), "k: expected a whole number >= 1, got 0"),
        (lambda x: x.complete("a", 2.0), "k: "),
        (lambda x: x.complete("a", True), "k: "),
        (lambda x: x.complete("a", max_edits=3), "max_edits: expected 0, 1 or 2, got 3"),
        (lambda x: x.complete("a", max_edits=-1), "max_edits: "),
        (lambda x: x.complete_batch("ab"), "prefixes: expected a sequence of strings"),
        (lambda x: x.complete_batch(["a", 1]), "prefixes: expected a string, got int"),
        (lambda x: x.complete_batch(["a"], threads=0), "threads: "),
        (lambda x: x.lookup(None), "term: expected a string"),
        (lambda x: x.add("a", float("nan")), "score: expected a finite number, got nan"),
        (lambda x: x.add("a", "much"), "score: "),
        (lambda x: x.add(1, 1), "term: "),
        (lambda x: x.remove(1), "term: "),
    ],
)
def test_bad_arguments(index: TermIndex, call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(index)


@pytest.mark.parametrize(
    ("items", "options", "error", "message"),
    [
        ([("a",)], {}, InputTypeError, "items: expected pairs of a term and a score"),
        ([7], {}, InputTypeError, "items: expected pairs"),
        ([(1, 1)], {}, InputTypeError, "items: expected a string, got int"),
        ([("a", "b")], {}, InputTypeError, "items: expected a number as score, got 'b'"),
        ([("a", float("inf"))], {}, InputError, "items: expected a finite score"),
        ([("\udcff", 1)], {}, InputError, "items: .*surrogate"),
        ([("a", 1), ("a", 1)], {"duplicates": "error"}, InputError, "items: the term 'a' comes twice"),
        ([], {"duplicates": "first"}, InputError, "duplicates: expected 'last'"),
        ([], {"normalizer": "NFC"}, InputError, "normalizer: expected one of none, nfkc_casefold"),
        ([], {"memory": 10}, InputError, "memory: expected 1048576 bytes or more"),
    ],
)
def test_a_refused_build_leaves_what_was_there(tmp_path: Path, items, options, error, message) -> None:
    built({"kept": 1.0}, tmp_path / "x")
    with pytest.raises(error, match=message):
        TermIndex.build(items, tmp_path / "x", **options)
    assert TermIndex.open(tmp_path / "x").complete("") == [("kept", 1.0)]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_an_error_of_the_items_is_the_callers(tmp_path: Path) -> None:
    def broken():
        yield "a", 1
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        TermIndex.build(broken(), tmp_path / "x")
    assert [*tmp_path.iterdir()] == []


def test_paths_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TermIndex.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TermIndex.build([], tmp_path / "nowhere" / "x")
    with pytest.raises(InputError, match=r"path: .* is a directory"):
        TermIndex.build([], tmp_path)
    with pytest.raises(InputError, match=r"path: .* is not a whole term index: not a regular file"):
        TermIndex.open(tmp_path)


FULL = """
import resource, sys
from pyfastlm.index import TermIndex
index = TermIndex.open(sys.argv[1])
for number in range(2000):
    index.add(f"new {number}", number)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for write in (index.merge, lambda: TermIndex.build([(str(n), n) for n in range(2000)], sys.argv[1])):
    try:
        write()
    except OSError as error:
        assert error.filename == sys.argv[1], error
    else:
        raise AssertionError("written")
assert len(index) == 2001
assert index.complete("new ", 1) == [("new 1999", 1999.0)]
"""


def test_a_disk_that_takes_no_more_loses_nothing(tmp_path: Path) -> None:
    built({"kept": 1.0}, tmp_path / "x")
    command = [sys.executable, "-c", FULL, str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert TermIndex.open(tmp_path / "x").complete("") == [("kept", 1.0)]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
