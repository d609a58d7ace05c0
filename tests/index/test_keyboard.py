"""Edits of keys that touch come before those of others, as comparing every term gives it."""

import random
from pathlib import Path

import pytest
import terms as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.index import Match, TermIndex

TEXT = st.text("asdqé", max_size=5)
SCORE = st.integers(-2, 3).map(float)


def check(
    index: TermIndex, terms: dict[str, float], query: str, k: int, *, edits: int, fix_first: bool
) -> None:
    options = {"edits": edits, "fix_first": fix_first}
    near = slow.matches_qwerty(terms, query, **options, whole=False)[:k]
    found = index.complete(query, k, max_edits=edits, fix_first=fix_first, keyboard="qwerty")
    assert found == [(term, score) for _, term, score in near]
    batch = index.complete_batch([query], k, max_edits=edits, fix_first=fix_first, keyboard="qwerty")
    assert batch.strings() == [[term for _, term, _ in near]]
    near = slow.matches_qwerty(terms, query, **options, whole=True)[:k]
    looked_up = index.lookup(query, k=k, max_edits=edits, fix_first=fix_first, keyboard="qwerty")
    assert looked_up == [Match(term, distance, score) for distance, term, score in near]


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(TEXT, SCORE, max_size=30),
    st.lists(TEXT, min_size=1, max_size=3),
    st.integers(1, 20),
    st.booleans(),
    st.dictionaries(TEXT, SCORE, max_size=5),
)
def test_random_terms(tmp_path_factory, terms, queries: list[str], k: int, fix_first: bool, changes) -> None:
    index = TermIndex.build(terms.items(), tmp_path_factory.getbasetemp() / "random.keys")
    for changed in ({}, changes):
        for term, score in changed.items():
            index.add(term, score)
        terms = terms | changed
        for query in queries:
            for edits in (0, 1, 2):
                check(index, terms, query, k, edits=edits, fix_first=fix_first)


@pytest.mark.parametrize("fix_first", [True, False])
def test_many_terms(tmp_path: Path, fix_first: bool) -> None:
    terms = slow.some_terms(1500, seed=3, alphabet="asdfwerpoAé")
    index = TermIndex.build(terms.items(), tmp_path / "x")
    for query in slow.some_queries(terms, 25, seed=4):
        for edits in (1, 2):
            check(
                index,
                terms,
                query,
                random.Random(query).choice([1, 10, 60]),
                edits=edits,
                fix_first=fix_first,
            )


@pytest.mark.parametrize(
    ("keyboard", "order"),
    [
        (None, ["hqy", "hay", "hüy", "hwy"]),
        ("qwerty", ["hay", "hwy", "hqy", "hüy"]),
        ("qwertz", ["hay", "hwy", "hqy", "hüy"]),
        ("azerty", ["hqy", "hwy", "hay", "hüy"]),
    ],
)
def test_keyboards(tmp_path: Path, keyboard, order: list[str]) -> None:
    """What was meant by "hsy": "s" touches "a" and "w", on azerty "q" and "w"."""
    terms = {"hqy": 4.0, "hay": 3.0, "hüy": 2.0, "hwy": 1.0}
    index = TermIndex.build(terms.items(), tmp_path / "x")
    assert [match.term for match in index.lookup("hsy", max_edits=1, keyboard=keyboard)] == order


def test_umlauts_are_keys(tmp_path: Path) -> None:
    index = TermIndex.build([("spat", 9.0), ("spüt", 1.0), ("spöt", 2.0)], tmp_path / "x")
    assert [match.term for match in index.lookup("sppt", max_edits=1, keyboard="qwertz")] == [
        "spöt",
        "spüt",
        "spat",
    ]
    assert index.lookup("sppt", max_edits=1, keyboard="qwerty")[0].term == "spat"


def test_bad_arguments(tmp_path: Path) -> None:
    index = TermIndex.build([("a", 1.0)], tmp_path / "x")
    for call in (index.lookup, lambda text, **more: index.complete(text, max_edits=1, **more)):
        with pytest.raises(
            InputError, match="keyboard: expected None, 'qwerty', 'qwertz' or 'azerty', got 'ab'"
        ):
            call("a", keyboard="ab")
    with pytest.raises(InputError, match="keyboard: expected None with mode='conjunctive', got 'qwerty'"):
        index.complete("a", max_edits=1, mode="conjunctive", keyboard="qwerty")
