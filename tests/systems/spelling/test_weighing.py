"""Candidates for whole queries: the native form against the Python one, whatever is asked and changed."""

import math
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import TermIndex
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling.candidates.odds import Odds, Shape, english_odds
from pyfastlm.spelling.candidates.options import Lexicon
from pyfastlm.spelling.candidates.reference import weighed
from pyfastlm.spelling.candidates.weighing import Weighing
from pyfastlm.spelling.correction import Candidate

WORD = st.text("abné1", min_size=1, max_size=9) | st.sampled_from(
    ["lamp", "lmap", "lamps", "desk", "dekslamp", "7", "٣lamp", "３lamp", "x2", "☃", "日本", "a¨b"]
)
TEXT = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
SCORES = st.integers(0, 40).map(float)
NORMAL = st.sampled_from(["none", "nfkc_casefold"])


def same(found: list[list[Candidate]], expected: list[list[Candidate]]) -> None:
    """The same texts in the same order, but for those whose scores are one up to rounding."""
    for ours, theirs in zip(found, expected, strict=True):
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-9)
        assert [one.cost for one in ours] == pytest.approx([one.cost for one in theirs], abs=1e-9)
        assert [one.text for one in ours] == [one.text for one in theirs]


def normal(index: TermIndex, text: str) -> str:
    return " ".join(index.normal(text).split())


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(TEXT, SCORES, min_size=1, max_size=25),
    st.none() | st.dictionaries(WORD, SCORES, max_size=15),
    NORMAL,
    NORMAL,
    st.lists(TEXT, min_size=1, max_size=4),
    st.data(),
)
def test_against_python(tmp_path_factory, names, words, of_names, of_words, queries, data) -> None:
    base = tmp_path_factory.getbasetemp()
    index = TermIndex.build(
        names.items(), base / "weighing.names", normalizer=of_names, duplicates="max", similar=True
    )
    english = None
    if words is not None:
        english = TermIndex.build(
            words.items(), base / "weighing.words", normalizer=of_words, duplicates="max", similar=True
        )
    for name in data.draw(st.lists(st.sampled_from(sorted(names)), max_size=2, unique=True)):
        if name in index:
            index.remove(name)
    for name in data.draw(st.lists(TEXT, max_size=2)):
        index.add(name, data.draw(SCORES))
    queries = [*queries, *data.draw(st.lists(st.sampled_from(sorted(names)), max_size=2))]
    queries = [normal(index, query) for query in queries]
    exclude = {
        normal(index, text) for text in data.draw(st.sets(st.sampled_from(queries) | WORD, max_size=2))
    }
    width, near = data.draw(st.integers(1, 12)), data.draw(st.sampled_from([-math.inf, 0.5, 2.0]))
    threshold = data.draw(st.floats(-6, 6))
    lexicon = Lexicon(index, english, COSTS, WEIGHTS)
    expected = weighed(lexicon, english_odds(), exclude, queries, width, threshold=threshold, near=near)
    weighing = Weighing(lexicon, english_odds(), exclude)
    for threads in (1, 2):
        found = weighing.candidates(queries, width, threshold=threshold, near=near, threads=threads)
        same(found, expected)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    names = {"lamp": 5.0, "desk": 4.0, "desk lamp": 3.0, "lamps": 2.0, "mask": 1.0, "sleds": 0.0}
    return TermIndex.build(names.items(), tmp_path_factory.mktemp("weighing") / "few", similar=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(-20, 20).map(float), st.floats(-9, 9)), min_size=1, max_size=7),
        min_size=16,
        max_size=16,
    ),
    st.floats(-9, 9),
    st.lists(st.text("lampdesk ", max_size=10), min_size=1, max_size=3),
)
def test_any_odds(few, shapes, bias, queries) -> None:
    lines = [tuple(sorted(dict(shape).items())) for shape in shapes]
    odds = Odds(bias, tuple(Shape(*map(tuple, zip(*line, strict=True))) for line in lines))
    lexicon = Lexicon(few, None, COSTS, WEIGHTS)
    queries = [normal(few, query) for query in queries]
    found = Weighing(lexicon, odds, ()).candidates(queries, 10, threshold=0.0)
    same(found, weighed(lexicon, odds, (), queries, 10, threshold=0.0))


def test_many_queries_on_two_threads(tmp_path: Path) -> None:
    letters = string.ascii_lowercase
    names = {
        f"{a}{b}r{c} {b}a{c}k": float(n)
        for n, (a, b, c) in enumerate(zip(letters, letters[3:], letters[7:], strict=False))
    }
    index = TermIndex.build(names.items(), tmp_path / "i", similar=True)
    queries = [f"{name[:3]}x{name[4:]}" for name in names] * 5 + [name.replace(" ", "") for name in names]
    weighing = Weighing(lexicon := Lexicon(index, None, COSTS, WEIGHTS), english_odds(), {"zzz"})
    found = weighing.candidates(queries, 5, threshold=-0.5, threads=2)
    same(found, weighed(lexicon, english_odds(), {"zzz"}, queries, 5, threshold=-0.5))
    assert found == [weighing.candidates([query], 5, threshold=-0.5)[0] for query in queries]
    assert weighing.candidates([], 5, threshold=0.0) == []


def test_the_limits_of_a_query(tmp_path: Path) -> None:
    index = TermIndex.build({"lamp": 1.0}.items(), tmp_path / "i", similar=True)
    weighing = Weighing(Lexicon(index, None, COSTS, WEIGHTS), english_odds(), ())
    for query in ("", "12", "☃", "lmap " * 32 + "lmap", "l" * 256, "l" * 249 + " lmap"):
        changed = len(query) == 254
        found = weighing.candidates([query], 5, threshold=-9.0)[0]
        assert (query, 0.0, 0.0) in found
        assert (len(found) > 1) == changed


def test_a_lexicon_that_is_none(tmp_path: Path) -> None:
    index = TermIndex.build({"lamp": 1.0}.items(), tmp_path / "i", similar=True)
    with pytest.raises(InputTypeError, match="costs: expected EditCosts"):
        Weighing(Lexicon(index, None, None, WEIGHTS), english_odds(), ())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="weights: expected a finite number as cost"):
        Weighing(Lexicon(index, None, COSTS, WEIGHTS._replace(cost=math.nan)), english_odds(), ())
