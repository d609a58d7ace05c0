"""Terms that resemble a text: found, weighed and ordered as by comparing every term, whatever was changed."""

import math
import random
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import EditCosts, Similar, TermIndex, Weights
from pyfastlm.index.term_index import WEIGHTS

SECTION = 64  # what they begin on multiples of
HEADER = 1024  # with the zeros up to the first section
SHORT = 8  # code points of terms that are found within two edits
SIMILAR = {
    f"{prefix}{name}" for prefix in ("", "word_") for name in ("gram_starts", "grams", "rest_starts", "rests")
} | {
    f"similar_{prefix}{name}" for prefix in ("", "word_") for name in ("lengths", "owners", "starts", "texts")
}

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NEAR = st.text("ab \0é日\U0001f600", max_size=9)
LONG = st.text("abc", min_size=7, max_size=24)
SCORE = st.integers(-2, 50).map(float)
COSTS = EditCosts()


def built(terms: Mapping[str, float], path: Path) -> TermIndex:
    return TermIndex.build(terms.items(), path, similar=True)


def edits(text: str, term: str) -> int:
    return slow.osa(text, term)[-1]


def most_edits(text: str) -> int:
    return 2 if len(text) < 7 else 3 + len(text) // 12


def trigrams(text: str) -> set[tuple[str, ...]]:
    marked = ["mark", *text, "mark"]
    return {tuple(marked[i : i + 3]) for i in range(len(text))}


def share(text: str, term: str) -> float:
    a, b = trigrams(text), trigrams(term)
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def must_be_found(text: str, term: str) -> bool:
    """Certainly; a term with fewer common trigrams may be, where others fall together by their hashes."""
    if len(term) <= SHORT and edits(text, term) <= 2:
        return bool(set(text) & set(term))
    common = len(trigrams(text) & trigrams(term))
    near = abs(len(text) - len(term)) <= 2 + len(text) // 12
    return near and 2 * common >= len(trigrams(text)) and edits(text, term) <= most_edits(text)


def words_of(terms: Mapping[str, float]) -> dict[str, float]:
    """The words of those terms that have a space, with the best score."""
    best: dict[str, float] = {}
    for term, score in terms.items():
        for word in slow.words_of(term) if " " in term else ():
            best[word] = max(score, best.get(word, score))
    return best


def pairs_of(text: str, known: Mapping[str, float], total: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for at in range(1, len(text)):
        left, right = (known.get(part) for part in (text[:at], text[at:]))
        if left is not None and right is not None:
            together = left / total * right if left > 0 and right > 0 else 0.0
            found.setdefault(f"{text[:at]} {text[at:]}", together)
    return found


def check(
    index: TermIndex,
    terms: Mapping[str, float],
    text: str,
    *,
    costs: EditCosts = COSTS,
    weights: Weights = WEIGHTS,
    words: bool = False,
) -> list[str]:
    found = index.similar(text, 1000, costs=costs, weights=weights, words=words)
    if not 0 < len(text) <= 255:
        assert found == []
        return []
    known = {**(words_of(terms) if words else {}), **terms}
    total = sum(max(score, 0.0) for score in terms.values())
    pairs = pairs_of(text, known, total)
    scores = pairs | known
    for one in found:
        assert one.score == pytest.approx(scores[one.term], rel=1e-12)
        assert one.edits == edits(text, one.term)
        assert one.edits <= most_edits(text)
        assert one.cost == pytest.approx(costs.cost(text, one.term), rel=1e-6)
        assert one.share == pytest.approx(share(text, one.term), rel=1e-6)
        popular = math.log1p(max(one.score, 0)) - math.log1p(total)
        fit = weights.popularity * popular - weights.cost * one.cost + weights.share * one.share
        assert one.fit == pytest.approx(fit, rel=1e-5, abs=1e-5)
    names = [one.term for one in found]
    assert len(set(names)) == len(names)
    assert names == [one.term for one in sorted(found, key=lambda one: (-one.fit, one.term.encode()))]
    expected = {term for term in known if must_be_found(text, term)} | pairs.keys()
    assert expected <= set(names)
    return names


# Exactness


@settings(max_examples=250, deadline=None)
@given(
    st.dictionaries(ANY | NEAR | LONG, SCORE, max_size=30),
    st.lists(ANY | NEAR | LONG, max_size=4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_random_terms(tmp_path_factory, terms, queries, words, rng) -> None:
    index = built(terms, tmp_path_factory.getbasetemp() / "similar.terms")
    near = rng.sample(sorted(terms), min(4, len(terms)))
    for query in [*queries, *near, *slow.some_queries(near, 4, seed=rng.randrange(99)), "".join(near)]:
        check(index, terms, query, words=words)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(NEAR, SCORE, min_size=1, max_size=20),
    NEAR,
    st.builds(Weights, *[st.floats(-9, 9)] * 3),
    st.builds(EditCosts, st.floats(0, 3), keyboard=st.sampled_from([None, "azerty"])),
)
def test_any_weights(tmp_path_factory, terms, query, weights, costs) -> None:
    index = built(terms, tmp_path_factory.getbasetemp() / "weights.terms")
    check(index, terms, query, weights=weights, costs=costs)


@settings(max_examples=100, deadline=None)
@given(st.text("abé日", min_size=1, max_size=90), st.data())
def test_edits_of_long_texts(tmp_path_factory, query: str, data: st.DataObject) -> None:
    """More than 64 code points are compared in another way. A term that was added is compared always."""
    term = list(query)
    for _ in range(data.draw(st.integers(0, most_edits(query)))):
        i = data.draw(st.integers(0, len(term)))
        term[i : i + data.draw(st.integers(0, 2))] = data.draw(st.text("abé日", max_size=2))
    index = built({"zzzzz": 1.0}, tmp_path_factory.getbasetemp() / "long.terms")
    index.add("".join(term), 1)
    distance = edits(query, "".join(term))
    found = index.similar(query)
    assert [one.edits for one in found] == ([distance] if distance <= most_edits(query) else [])


def test_all_of_a_small_alphabet(tmp_path: Path) -> None:
    """The 62 texts of one to five letters out of two: each finds all within two edits that share a letter."""
    terms = {
        "".join("ab"[number >> bit & 1] for bit in range(length)): float(number + length)
        for length in range(1, 6)
        for number in range(2**length)
    }
    index = built(terms, tmp_path / "x")
    for query in [*terms, "c", "cab", "abcde", "aabbaabb", "bbbbbbb"]:
        check(index, terms, query)


def test_texts_with_the_same_trigrams(tmp_path: Path) -> None:
    terms = {"ab" * n: float(n) for n in range(3, 12)} | {"aaaaaaaaaa": 1.0, "aaaaaaaaaaa": 1.0}
    index = built(terms, tmp_path / "x")
    for query in terms:
        assert set(check(index, terms, query)) >= {
            term for term in terms if trigrams(query) & trigrams(term) and edits(query, term) <= 2
        }


def test_one_letter_terms(tmp_path: Path) -> None:
    terms = {"a": 3.0, "b": 2.0, "日": 1.0, "ab": 1.0, "": 9.0}
    index = built(terms, tmp_path / "x")
    assert check(index, terms, "a") == ["a", "ab"]  # nothing of "a" is left in "b"
    assert set(check(index, terms, "日b")) >= {"日", "b", "日 b"}
    assert check(index, terms, "") == []


def test_the_longest_texts(tmp_path: Path) -> None:
    rng = random.Random(1)
    text = "".join(rng.choices("abcdefgh日", k=300))
    terms = {text[:n]: 1.0 for n in (230, 236, 254, 255, 256, 258, 300)}
    index = built(terms, tmp_path / "x")
    assert text[:255] in check(index, terms, text[:255])
    assert check(index, terms, text[:254])[0] == text[:254]
    assert {text[:255], text[:256], text[:258]} <= set(check(index, terms, text[:254]))
    assert check(index, terms, text[:256]) == []


def test_of_many_the_nearest_are_weighed(tmp_path: Path) -> None:
    """More than 64 within two edits: those of fewest edits, then of the best for their length."""
    terms = {
        f"aa{a}{b}aa": float(n) for n, (a, b) in enumerate(slow.itertools.product("abcdefghij", repeat=2))
    }
    index = built(terms, tmp_path / "x")
    found = index.similar("aaaaaa", 1000)
    assert len(found) == 64
    order = sorted(terms, key=lambda term: (edits("aaaaaa", term), -terms[term]))
    assert {one.term for one in found} == set(order[:64])
    assert [one.term for one in index.similar("aaaaaa", 7)] == [one.term for one in found[:7]]


def test_the_fit_decides(tmp_path: Path) -> None:
    index = built(
        {"house": 90.0, "hose": 10.0, "horse": 50.0, "mouse": 3.0, "household": 5.0}, tmp_path / "x"
    )
    assert [one.term for one in index.similar("huose", 2)] == ["house", "hose"]
    assert index.similar("house", 1)[0] == Similar("house", 90.0, 0, 0.0, 1.0, index.similar("house")[0].fit)
    dear = Weights(cost=0.0, popularity=1.0, share=0.0)
    assert [one.term for one in index.similar("mouse", weights=dear)][:3] == ["house", "horse", "hose"]


# Spaces and words


def test_without_the_space(tmp_path: Path) -> None:
    terms = {"new": 40.0, "york": 20.0, "a": 30.0, "ne": -1.0, "wyork": 5.0, "日": 1.0, "本": 9.0}
    index = built(terms, tmp_path / "x")
    found = {one.term: one for one in index.similar("newyork")}
    assert found["new york"].score == pytest.approx(40 / 105 * 20)
    assert found["new york"].edits == 1
    assert found["ne wyork"].score == 0
    assert index.similar("日本", 1)[0].term == "日 本"
    for query in ("newyork", "日本", "anew", "newa", "aa", "a new", "new york", " new"):
        check(index, terms, query)


def test_a_pair_that_is_a_term_has_its_score(tmp_path: Path) -> None:
    terms = {"new": 40.0, "york": 20.0, "new york": 7.0}
    index = built(terms, tmp_path / "x")
    assert {one.term: one.score for one in index.similar("newyork")}["new york"] == 7
    check(index, terms, "newyork")


def test_words_of_terms(tmp_path: Path) -> None:
    terms = {"green apple pie": 8.0, "apple": 1.0, "green tea": 3.0, "apple juice": 9.0, "日 本": 2.0}
    index = built(terms, tmp_path / "x")
    assert index.similar("grene", 1) == []
    [green] = index.similar("grene", words=True)
    assert (green.term, green.score) == ("green", 8)
    assert index.similar("aple", 1, words=True)[0][:2] == ("apple", 1.0)  # a term itself
    assert index.similar("greentea", 1)[0].term == "green tea"
    assert "pie juice" in check(index, terms, "piejuice", words=True)
    for query in ("grene", "piejuice", "日本", "juicepie", "tea", "teagreen", "日"):
        check(index, terms, query, words=True)
        check(index, terms, query)


# Many at once


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_batch_is_one_by_one(tmp_path: Path, threads: int, words: bool) -> None:
    terms = slow.some_terms(2000, seed=1) | slow.some_phrases(500, seed=2)
    index = built(terms, tmp_path / "x")
    queries = ["", "a" * 256, *slow.some_queries(terms, 150, seed=3)]
    for changed in (False, True):
        if changed:
            for term in list(terms)[::50]:
                index.remove(term)
            index.add("abcd bacd", 100.0)
        one_by_one = [index.similar(query, 5, words=words) for query in queries]
        assert index.similar_batch(queries, 5, words=words, threads=threads) == one_by_one
        assert any(one_by_one)
    assert index.similar_batch([]) == []


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


# Bad input


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return built({"a": 1.0}, tmp_path_factory.mktemp("similar") / "x")


def test_an_index_that_was_not_built_for_it(tmp_path: Path) -> None:
    index = TermIndex.build({"a": 1.0}.items(), tmp_path / "x")
    assert not index.has_similar
    index.add("b", 1)
    for call in (lambda: index.similar("a"), lambda: index.similar_batch(["a"])):
        with pytest.raises(InputError, match="index: expected one built with similar=True"):
            call()
    index.merge()
    assert not index.has_similar


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.similar(3), InputTypeError, "text: expected a string, got int"),
        (lambda x: x.similar("\ud800"), InputError, "texts: .*surrogate"),
        (lambda x: x.similar("a", 0), InputError, "k: expected a whole number >= 1, got 0"),
        (lambda x: x.similar("a", costs=None), InputTypeError, "costs: expected EditCosts, got NoneType"),
        (lambda x: x.similar("a", weights=(1, 2, 3)), InputTypeError, "weights: expected Weights, got tuple"),
        (
            lambda x: x.similar("a", weights=Weights(1, math.nan, 1)),
            InputError,
            "weights: expected a finite number as popularity, got nan",
        ),
        (
            lambda x: x.similar("a", weights=Weights("1", 1, 1)),
            InputError,
            "weights: expected a finite number as cost, got '1'",
        ),
        (lambda x: x.similar_batch("a"), InputTypeError, "texts: expected a sequence of strings"),
        (lambda x: x.similar_batch([1]), InputTypeError, "texts: expected a string, got int"),
        (lambda x: x.similar_batch(["a"], threads=0), InputError, "threads: "),
    ],
)
def test_bad_arguments(some: TermIndex, call, error, message) -> None:
    with pytest.raises(error, match=message):
        call(some)


def test_normalized_texts(tmp_path: Path) -> None:
    items = [("Straße", 2), ("New  York", 3)]
    index = TermIndex.build(items, tmp_path / "x", normalizer="nfkc_casefold", similar=True)
    assert index.similar(" STRASE ")[0].term == "strasse"
    assert index.similar("NEWYORK")[0].term == "new york"
