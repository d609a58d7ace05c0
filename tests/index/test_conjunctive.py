"""Conjunctive answers are those of looking at the words of every term, whatever was done before."""

import random
import threading
from pathlib import Path

import numpy as np
import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex, term_index

WORD = st.text("abé\0\xff", max_size=3)
PHRASE = st.lists(WORD, max_size=4).map(" ".join)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SCORE = st.integers(-2, 3).map(float)


def ask(index: TermIndex, query: str, k: int = 10) -> list[tuple[str, float]]:
    return index.complete(query, k, mode="conjunctive")


@pytest.fixture(scope="module")
def many() -> dict[str, float]:
    return slow.some_phrases(5000, seed=1)


@pytest.fixture(scope="module")
def index(many: dict[str, float], tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(many.items(), tmp_path_factory.mktemp("index") / "many")


def test_what_answers(tmp_path: Path) -> None:
    terms = ["new york", "york", "new new york", "york new", "newyork", "new", "yorkshire in new england", ""]
    index = TermIndex.build([(term, -float(i)) for i, term in enumerate(terms)], tmp_path / "x")
    for query, answers in {
        "york new": ["new york", "new new york", "york new"],
        "york n": ["new york", "new new york", "york new"],
        "new york ": ["new york", "new new york", "york new"],
        "new n": ["new new york"],
        "new new ": ["new new york"],
        "new y": ["new york", "new new york", "york new", "yorkshire in new england"],
        "york ": ["new york", "york", "new new york", "york new"],
        "  eng  in y": ["yorkshire in new england"][:0],
        "  new  in y": ["yorkshire in new england"],
        "new": [term for term in terms if "new" in term],
        "": terms,
        " ": terms,
    }.items():
        assert [term for term, _ in ask(index, query)] == answers, query


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(PHRASE | ANY, SCORE, max_size=30),
    st.lists(PHRASE | ANY, max_size=8),
    st.integers(1, 40),
)
def test_random_terms(tmp_path_factory, terms: dict[str, float], queries: list[str], k: int) -> None:
    index = TermIndex.build(terms.items(), tmp_path_factory.getbasetemp() / "random.words")
    for query in [*queries, *(query + " " for query in queries), *terms]:
        assert ask(index, query, k) == slow.conjunctions(terms, query, k)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(PHRASE, SCORE, max_size=20),
    st.lists(PHRASE, min_size=1, max_size=3),
    st.integers(1, 20),
    st.booleans(),
)
def test_random_edits(
    tmp_path_factory, terms: dict[str, float], queries: list[str], k: int, fix_first
) -> None:
    index = TermIndex.build(terms.items(), tmp_path_factory.getbasetemp() / "random.near")
    for query in [*queries, *(query + " " for query in queries)]:
        for edits in (1, 2):
            options = {"max_edits": edits, "fix_first": fix_first}
            found = index.complete(query, k, mode="conjunctive", **options)
            assert found == slow.conjunctions_near(terms, query, k, edits=edits, fix_first=fix_first)
            batch = index.complete_batch([query], k, mode="conjunctive", **options)
            assert batch.exact.all()
            assert batch.strings() == [[term for term, _ in found]]


@pytest.mark.parametrize("fix_first", [True, False])
@pytest.mark.parametrize("edits", [1, 2])
def test_edits(many: dict[str, float], edits: int, fix_first: bool, tmp_path: Path) -> None:
    few = dict(random.Random(edits).sample(sorted(many.items()), 700))
    index = TermIndex.build(few.items(), tmp_path / "x")
    for term in list(few)[::20]:
        index.remove(term)
        del few[term]
    for term, score in (("abc é日", 100.0), ("é", 99.0), ("b abc b", -3.0)):
        index.add(term, score)
        few[term] = score
    for query in slow.some_word_queries(few, 30, seed=edits):
        expected = slow.conjunctions_near(few, query, 25, edits=edits, fix_first=fix_first)
        found = index.complete(query, 25, max_edits=edits, fix_first=fix_first, mode="conjunctive")
        assert found == expected, query


def test_edits_are_shared_by_all_words(tmp_path: Path) -> None:
    terms = {"new york": 3.0, "york newark": 2.0, "newyork": 1.0, "yorks new": 4.0, "yorkshire": 5.0}
    index = TermIndex.build(terms.items(), tmp_path / "x")

    def near(query: str, edits: int) -> list[str]:
        return [term for term, _ in index.complete(query, max_edits=edits, mode="conjunctive")]

    assert near("yrok nwe ", 1) == near("yrok new", 0) == []
    assert near("yrok nwe ", 2) == ["new york"]
    assert near("yrok new", 1) == ["new york", "york newark"]
    assert near("new yrok", 1) == ["yorks new", "new york"]
    assert near("yrok", 1) == ["yorkshire", "yorks new", "new york", "york newark"]


@pytest.mark.parametrize("k", [1, 10, 16, 17, 100, 1000, 2**63])
def test_every_k(index: TermIndex, many: dict[str, float], k: int) -> None:
    for query in slow.some_word_queries(many, 60, seed=k):
        assert ask(index, query, k) == slow.conjunctions(many, query, k)


def test_common_words_that_hardly_come_together(tmp_path: Path) -> None:
    """Every way of searching: the best terms of a word are tried, then lists are compared."""
    rng = random.Random(0)
    terms = {f"{rng.choice('ab')} {rng.choice('cd')}{n}": float(n % 997) for n in range(30_000)}
    terms |= {f"x{n} y z": float(n % 13) for n in range(3000)} | {"a b y": -1.0, "a y b c9": -2.0}
    index = TermIndex.build(terms.items(), tmp_path / "x")
    queries = ["a b", "b a ", "a y", "y a b ", "a c", "a c9", "b a c", "z a", "z x", "z y x1", "z y x", "q a"]
    for query in [*queries, "a a", "a a ", "z z"]:
        right = slow.conjunctions(terms, query, 1000)
        for k in (1, 10, 1000):
            assert ask(index, query, k) == right[:k], query


def test_long_words_and_many(tmp_path: Path) -> None:
    terms = {" ".join(f"w{n % most}" for n in range(most)): float(most) for most in (1, 2, 300, 5000)}
    terms |= {"a" * 70_000 + " b": 1.0, "b " + "a" * 70_001: 2.0}
    index = TermIndex.build(terms.items(), tmp_path / "x")
    reverse = " ".join(f"w{n}" for n in range(299, 0, -1))
    for query in ("b " + "a" * 70_000, "w4 w3 ", reverse, "w", "w1 w1", "b"):
        assert ask(index, query) == slow.conjunctions(terms, query, 10)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_batch_is_one_by_one(many: dict[str, float], threads: int, tmp_path: Path) -> None:
    index = TermIndex.build(many.items(), tmp_path / "x")
    queries = slow.some_word_queries(many, 300, seed=5)
    for changed in (False, True):
        if changed:
            for term in list(many)[::50]:
                index.remove(term)
            index.add("a new phrase", 100.0)
        found = index.complete_batch(queries, 12, mode="conjunctive", threads=threads)
        assert found.exact.shape == (300,)
        assert found.exact.all()
        for query, scores, strings in zip(queries, found.scores, found.strings(), strict=True):
            expected = ask(index, query, 12)
            assert strings == [term for term, _ in expected]
            assert [*scores[: len(expected)]] == [np.float32(score) for _, score in expected]


def test_a_search_that_would_read_too_much_says_so(
    index: TermIndex, many: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = slow.some_word_queries(many, 200, seed=6)
    whole = [slow.conjunctions(many, query, 10) for query in queries]
    before = -1
    for budget in (0, 300, 3000, 1 << 22):
        monkeypatch.setattr(term_index, "BUDGET", budget)
        found = index.complete_batch(queries, mode="conjunctive")
        for query, exact, strings, right in zip(queries, found.exact, found.strings(), whole, strict=True):
            assert all(slow.has_words(term, query) for term in strings)
            assert strings == [term for term, _ in right] or not exact
        assert found.exact.sum() > before
        before = int(found.exact.sum())
    assert before == 200
    assert index.complete_batch(queries).exact.all()


def test_normalizer(tmp_path: Path) -> None:
    index = TermIndex.build([("Straße  IN Köln", 1)], tmp_path / "x", normalizer="nfkc_casefold")
    assert ask(index, "KÖLN strass") == ask(index, "in  STRASSE ") == [("strasse in köln", 1.0)]


class Changing(RuleBasedStateMachine):
    """Adds, changes, removals and merges in any order."""

    @initialize(terms=st.dictionaries(PHRASE, SCORE, max_size=12))
    def build(self, terms: dict[str, float]) -> None:
        self.terms = dict(terms)
        self.index = TermIndex.build(terms.items(), self.path)

    @rule(term=PHRASE, score=SCORE)
    def add(self, term: str, score: float) -> None:
        self.index.add(term, score)
        self.terms[term] = score

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.terms:
            term = data.draw(st.sampled_from(sorted(self.terms)))
            self.index.remove(term)
            del self.terms[term]

    @rule()
    def merge(self) -> None:
        self.index.merge()

    @rule(query=PHRASE, k=st.integers(1, 20), edits=st.integers(0, 2))
    def ask(self, query: str, k: int, edits: int) -> None:
        for text in (query, query + " "):
            found = self.index.complete(text, k, max_edits=edits, mode="conjunctive")
            assert found == slow.conjunctions_near(self.terms, text, k, edits=edits)


def test_changes(tmp_path: Path) -> None:
    """The rules of the machine assert."""
    Changing.path = tmp_path / "x"
    machine = Changing.TestCase
    machine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
    machine().runTest()


def test_threads_ask_while_another_changes_and_merges(many: dict[str, float], tmp_path: Path) -> None:
    index = TermIndex.build(many.items(), tmp_path / "x")
    queries = slow.some_word_queries(many, 40, seed=7)[5:]
    expected = {query: slow.conjunctions(many, query, 10) for query in queries}
    stop, wrong = threading.Event(), []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            query = rng.choice(queries)
            if ask(index, query) != expected[query]:
                wrong.append(query)
            batch = index.complete_batch(queries, mode="conjunctive", threads=2).strings()
            if batch != [[term for term, _ in expected[query]] for query in queries]:
                wrong.append("batch")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for number in range(60):
        index.add(f"nothing like{number}", 100.0)  # words that no query has
        if number % 10 == 9:
            index.merge()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.complete("a", mode="any"), "mode: expected 'prefix' or 'conjunctive', got 'any'"),
        (lambda x: x.complete_batch(["a"], mode=None), "mode: expected 'prefix' or 'conjunctive', got None"),
        (
            lambda x: x.complete("a b", max_edits=3, mode="conjunctive"),
            "max_edits: expected 0, 1 or 2, got 3",
        ),
        (lambda x: x.complete(3, mode="conjunctive"), "prefix: expected a string, got int"),
        (lambda x: x.complete("a", 0, mode="conjunctive"), "k: expected a whole number >= 1"),
    ],
)
def test_bad_arguments(index: TermIndex, call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(index)
