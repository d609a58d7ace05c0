"""Similar terms of an index that is changed, merged and concatenated, and the files they are found in."""

import math
import random
import threading
from pathlib import Path

import terms as slow
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from resemblance import built, check

from pyfastlm.index import TermIndex, Weights

SECTION = 64  # what they begin on multiples of
HEADER = 1024  # with the zeros up to the first section
SIMILAR = {
    f"{prefix}{name}" for prefix in ("", "word_") for name in ("gram_starts", "grams", "rest_counts", "rests")
} | {
    f"similar_{prefix}{name}" for prefix in ("", "word_") for name in ("lengths", "owners", "starts", "texts")
}

NEAR = st.text("ab \0é日\U0001f600", max_size=9)
LONG = st.text("abc", min_size=7, max_size=24)
SCORE = st.integers(-2, 50).map(float)


# Changes


class Changing(RuleBasedStateMachine):
    """Adds, changes, removals and merges in any order."""

    @initialize(terms=st.dictionaries(NEAR | LONG, SCORE, max_size=12))
    def build(self, terms: dict[str, float]) -> None:
        self.terms = dict(terms)
        self.index = built(terms, self.path)

    @rule(term=NEAR | LONG, score=SCORE)
    def add(self, term: str, score: float) -> None:
        self.index.add(term, score)
        self.terms[term] = score

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.terms:
            term = data.draw(st.sampled_from(sorted(self.terms)))
            self.index.remove(term)
            del self.terms[term]

    @rule(reopen=st.booleans())
    def merge(self, reopen: bool) -> None:
        self.index.merge()
        fresh = self.path.with_name("fresh")
        built(self.terms, fresh)
        assert self.path.read_bytes() == fresh.read_bytes()
        if reopen:
            self.index = TermIndex.open(self.path)

    @rule(query=NEAR | LONG, words=st.booleans())
    def ask(self, query: str, words: bool) -> None:
        check(self.index, self.terms, query, words=words)

    @rule(words=st.booleans(), data=st.data())
    def ask_what_is_there(self, words: bool, data: st.DataObject) -> None:
        if self.terms:
            query = data.draw(st.sampled_from(sorted(self.terms)))
            check(self.index, self.terms, query, words=words)
            check(self.index, self.terms, query.replace(" ", ""), words=words)


def test_changes(tmp_path: Path) -> None:
    """The rules of the machine assert."""
    Changing.path = tmp_path / "x"
    machine = Changing.TestCase
    machine.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
    machine().runTest()


def test_added_and_removed_terms_at_once(tmp_path: Path) -> None:
    index = built({"apple pie": 1.0, "plain": 2.0}, tmp_path / "x")
    index.add("orange", 5)
    assert index.similar("ornage", 1)[0][:2] == ("orange", 5.0)
    index.add("orange", 6)
    assert [one.score for one in index.similar("ornage")] == [6]
    index.remove("plain")
    assert index.similar("plain") == []
    assert index.similar("aplpe", words=True)[0][:2] == ("apple", 1.0)
    index.add("apple tart", 3)
    assert index.similar("aplpe", words=True)[0][:2] == ("apple", 3.0)
    index.remove("apple pie")
    index.remove("apple tart")
    assert index.similar("aplpe", words=True) == index.similar("pie", words=True) == []
    index.merge()
    assert index.has_similar
    assert index.similar("ornage", 1)[0].term == "orange"


def test_an_empty_index_goes_on(tmp_path: Path) -> None:
    index = built({}, tmp_path / "x")
    assert index.has_similar
    assert index.similar("a", words=True) == []
    index.add("green", 2)
    index.add("tea", 3)
    check(index, {"green": 2.0, "tea": 3.0}, "greentea")
    index.merge()
    assert TermIndex.open(tmp_path / "x").similar("grene")[0].term == "green"
    index.remove("green")
    index.remove("tea")
    index.merge()
    assert TermIndex.open(tmp_path / "x").has_similar


def test_concatenated_files(tmp_path: Path) -> None:
    terms = slow.some_terms(600, seed=4) | slow.some_phrases(200, seed=4)
    whole = built(terms, tmp_path / "whole")
    halves = [dict(list(terms.items())[half::2]) for half in range(2)]
    for second in (True, False):
        built(halves[0], tmp_path / "a")
        TermIndex.build(halves[1].items(), tmp_path / "b", similar=second)
        for names in ("ab", "ba"):
            both = TermIndex.concatenate([tmp_path / name for name in names], tmp_path / "both")
            assert both.has_similar
            assert (tmp_path / "both").read_bytes() == (tmp_path / "whole").read_bytes()
            assert both.similar("abcd") == whole.similar("abcd")


def test_threads_ask_while_another_adds_and_merges(tmp_path: Path) -> None:
    """The terms that begin with "n" come and go; no other resembles one of them."""
    fixed = {f"house{number:02}": float(number) for number in range(50)} | {"green house": 3.0}
    index = built(fixed, tmp_path / "x")
    queries = ["huose07", "house", "greenhouse", "hsoue41"]
    expected = [{one[:5] for one in index.similar(query, 80)} for query in queries]
    stop, wrong = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            try:
                for words in (False, True):
                    found = index.similar_batch([*queries, "nnnnn"], 80, words=words, threads=2)
                    for was, now in zip(expected, found, strict=False):
                        if not was <= {one[:5] for one in now}:
                            wrong.append(now)
                    numbers = sorted(int(one.term[5:]) for one in found[-1])
                    if numbers != [*range(min(numbers, default=0), max(numbers, default=-1) + 1)]:
                        wrong.append(numbers)
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(100):
        index.add(f"nnnnn{number}", 1.0)
        if number >= 10:
            index.remove(f"nnnnn{number - 10}")
        if number % 10 == 9:
            index.merge()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(index.similar("nnnnn")) == 10


# Files


def test_builds_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    items = [*(slow.some_terms(3000, seed=5) | slow.some_phrases(800, seed=5)).items()]
    TermIndex.build(items, tmp_path / "a", similar=True)
    random.Random(1).shuffle(items)
    TermIndex.build(items, tmp_path / "b", similar=True, memory=1 << 20)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_files_without_it_have_no_more_than_a_header(tmp_path: Path) -> None:
    terms = slow.some_terms(1000, seed=6) | slow.some_phrases(300, seed=6)
    plain = TermIndex.build(terms.items(), tmp_path / "plain")
    whole = built(terms, tmp_path / "whole")
    assert plain.parts.keys() == whole.parts.keys() > SIMILAR
    assert {name for name, size in plain.parts.items() if size == 0} >= SIMILAR
    for name, size in whole.parts.items():
        assert (size > 0) if name in SIMILAR else (size == plain.parts[name])
    for index in (plain, whole):
        sections = sum(-(-size // SECTION) * SECTION for size in index.parts.values())
        assert index._path.stat().st_size == HEADER + sections


def test_lists_of_long_texts_that_all_begin_alike(tmp_path: Path) -> None:
    """Where trigrams that all texts have fall together, a text is still listed once."""
    rng = random.Random(7)
    alike = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=200))
    index = TermIndex.build(((f"{alike}{n:05}", n) for n in range(17_000)), tmp_path / "x", similar=True)
    assert index.similar(alike + "016x07", 1)[0].term == alike + "01607"


def test_scores_beyond_all_bounds(tmp_path: Path) -> None:
    terms = {"green": 1.7e308, "greet": 1.7e308, "tea": -1.7e308, "great": 0.0}
    index = built(terms, tmp_path / "x")
    for _ in range(2):
        names = [one.term for one in index.similar("gree", weights=Weights(1.0, 1.0, 0.0))]
        assert names == ["green", "greet", "great"]
        assert all(math.isfinite(one.fit) for one in index.similar("greentea"))
        index.add("greek", 1.7e308)
        index.add("greed", 1.7e308)
        index.remove("greek")
        index.remove("greed")
