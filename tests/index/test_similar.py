"""Terms that resemble a text: found, weighed and ordered as by comparing every term."""

import math
import random
from pathlib import Path

import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from resemblance import built, check, edits, most_edits, trigrams

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import EditCosts, Similar, TermIndex, Weights

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NEAR = st.text("ab \0é日\U0001f600", max_size=9)
LONG = st.text("abc", min_size=7, max_size=24)
SCORE = st.integers(-2, 50).map(float)


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
@given(st.text("abé日", min_size=1, max_size=30) | st.text("abé日", min_size=60, max_size=90), st.data())
def test_edits_of_long_texts(tmp_path_factory, query: str, data: st.DataObject) -> None:
    """More than 64 code points are compared in another way. A term that was added is compared always."""
    term = list(query)
    for _ in range(data.draw(st.integers(0, most_edits(query)))):
        i = data.draw(st.integers(0, len(term)))
        term[i : i + data.draw(st.integers(0, 2))] = data.draw(st.text("abé日", max_size=2))
    index = built({"zzzzz": 1.0}, tmp_path_factory.getbasetemp() / "long.terms")
    index.add("".join(term), 1)
    distance = edits(query, "".join(term))
    found = [one.edits for one in index.similar(query) if one.term == "".join(term)]
    assert found == ([distance] if distance <= most_edits(query) else [])


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
