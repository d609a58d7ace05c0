"""Session features: what moves, what does not, and the ladder that uses them."""

import math
import random
from pathlib import Path

import pytest
from terms import matches, some_queries, some_terms

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac.context import reorder
from pyfastlm.qac.ladder import MODES, STAGES, auto_edits, suggest

CANDIDATES = [("red", 700.0), ("red shoes", 600.0), ("red wine", 500.0), ("red shoes for men", 90.0)]


def terms_of(pairs: list[tuple[str, float]]) -> list[str]:
    return [term for term, _ in pairs]


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_without_a_past_nothing_moves(k: int) -> None:
    unsorted = CANDIDATES[::-1]
    assert reorder(unsorted, [], k) == unsorted[:k]


def test_with_weights_of_zero_only_the_score_counts() -> None:
    ordered = reorder(CANDIDATES[::-1], ["red wine"], 4, same=0, words=0, beginning=0)
    assert ordered == CANDIDATES


def test_worth_is_the_formula_of_the_docstring() -> None:
    past = ["red wine", "shoes for men"]
    same, words, beginning, decay = 1.5, 2.5, 0.75, 0.5
    worth = {
        "red": math.log(700) + decay * words * 1 / 2 + beginning * 0,
        "red shoes": math.log(600) + max(decay * words * 1 / 3, words * 1 / 4),
        "red wine": math.log(500) + decay * (same + words),
        "red shoes for men": math.log(90) + words * 3 / 4,
    }
    expected = sorted(worth, key=worth.__getitem__, reverse=True)
    ordered = reorder(CANDIDATES, past, 4, same=same, words=words, beginning=beginning, decay=decay)
    assert terms_of(ordered) == expected
    assert expected == ["red wine", "red", "red shoes", "red shoes for men"]


@pytest.mark.parametrize(
    ("past", "options", "first"),
    [
        (["red wine"], {"words": 0.0, "beginning": 0.0}, "red wine"),  # the same again
        (["RED  Wine"], {"words": 0.0, "beginning": 0.0}, "red wine"),  # in other letters
        (["shoes for men in red"], {"same": 0.0, "beginning": 0.0, "words": 9.0}, "red shoes for men"),
        (["red wine glass"], {"same": 0.0, "words": 0.0}, "red wine"),  # a common beginning
        (["red wine", "blue"], {"decay": 0.0}, "red"),  # only the last search counts
        (["red wine", "blue"], {"decay": 1.0}, "red wine"),
    ],
)
def test_each_feature_alone_moves_its_term(past: list[str], options: dict[str, float], first: str) -> None:
    assert reorder(CANDIDATES, past, 1, **options)[0][0] == first


def test_an_unrelated_past_moves_nothing_and_ties_keep_their_order() -> None:
    assert reorder(CANDIDATES, ["台所", "xyz"], 4) == CANDIDATES
    ties = [("b", 1.0), ("a", 1.0), ("c", 1.0)]
    assert reorder(ties, ["zz"], 3) == ties


def test_pairs_come_back_as_they_were_also_with_scores_that_have_no_logarithm() -> None:
    pairs = [("Ä b", 2.0), ("zero", 0.0), ("less", -3.5)]
    assert sorted(reorder(pairs, ["less", "ä b"], 9)) == sorted(pairs)
    assert reorder(pairs, ["less"], 3, same=50.0)[0] == ("less", -3.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k: expected"),
        ({"k": True}, "k: expected"),
        ({"past": "red"}, "past: expected"),
        ({"same": math.nan}, "same: expected"),
        ({"words": math.inf}, "words: expected"),
        ({"decay": 1.5}, "decay: expected"),
        ({"decay": math.nan}, "decay: expected"),
    ],
)
def test_refusals(change: dict[str, object], message: str) -> None:
    arguments = {"candidates": CANDIDATES, "past": ["red"], "k": 2} | change
    with pytest.raises(InputError, match=message):
        reorder(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "edits"), [("", 0), ("abc", 0), ("abcd", 1), ("日本語は", 1), ("abcdefgh", 2)]
)
def test_edits_by_length(query: str, edits: int) -> None:
    assert auto_edits(query) == edits


@pytest.fixture(scope="module")
def random_index(tmp_path_factory: pytest.TempPathFactory) -> tuple[TermIndex, dict[str, float]]:
    terms = some_terms(300, seed=5)
    return TermIndex.build(terms.items(), tmp_path_factory.mktemp("ladder") / "i"), terms


@pytest.mark.parametrize("edits", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 7, 400])
def test_the_ladder_is_the_order_of_edits_with_the_distance_of_each(
    random_index: tuple[TermIndex, dict[str, float]], k: int, edits: int
) -> None:
    index, terms = random_index
    for query in some_queries(terms, 40, seed=k + edits):
        expected = matches(terms, query, edits=edits, fix_first=True, whole=False)[:k]
        assert suggest(index, query, k, edits=edits, mode="prefix") == [
            (term, score, "typo" if distance else "exact", distance) for distance, term, score in expected
        ]


def test_a_session_moves_within_stages_only(random_index: tuple[TermIndex, dict[str, float]]) -> None:
    index, terms = random_index
    rng, moved = random.Random(3), 0
    for query in some_queries(terms, 40, seed=11):
        past = rng.sample(sorted(terms), 3)
        plain, ordered = (suggest(index, query, 300, edits=2, mode="prefix", past=of) for of in ((), past))
        assert [one.distance for one in ordered] == sorted(one.distance or 0 for one in plain)
        assert sorted(ordered) == sorted(plain)
        assert [one.term for one in suggest(index, query, 5, edits=2, mode="prefix", past=past)] == [
            one.term for one in ordered[:5]
        ] or len(plain) > 50  # more than a session chooses from
        moved += ordered != plain
    assert moved > 10


def test_the_ladder_refuses(random_index: tuple[TermIndex, dict[str, float]]) -> None:
    index, _ = random_index
    for options, message in (
        ({"mode": "none"}, "mode: expected"),
        ({"k": 0}, "k: expected"),
        ({"edits": 3}, "edits: expected"),
        ({"edits": True}, "edits: expected"),
    ):
        with pytest.raises(InputError, match=message):
            suggest(index, "a", **options)  # type: ignore[arg-type]


def test_stages_ask_for_more_and_more_edits() -> None:
    assert [stage.edits for stage in STAGES] == sorted(stage.edits for stage in STAGES)
    assert {stage.mode for stage in STAGES} == set(MODES)


def test_words_come_after_what_begins_as_typed_and_before_typos(tmp_path: Path) -> None:
    counts = {
        "red shoes": 5.0,
        "shoes red": 9.0,
        "old red shoes": 7.0,
        "rde shoes": 99.0,
        "blue rde shoe": 3.0,
    }
    index = TermIndex.build(counts.items(), tmp_path / "t")
    found = suggest(index, "red sh", edits=1)
    assert [(one.term, one.stage, one.distance) for one in found] == [
        ("red shoes", "exact", 0),
        ("shoes red", "words", None),
        ("old red shoes", "words", None),
        ("rde shoes", "typo", 1),
        ("blue rde shoe", "typo in words", None),
    ]
    assert [one.term for one in suggest(index, "red sh", edits=1, mode="prefix")] == [
        "red shoes",
        "rde shoes",
    ]
    assert suggest(index, "red sh", 2, edits=1) == found[:2]


@pytest.mark.parametrize("edits", [0, 1, 2])
def test_the_whole_ladder_has_what_each_stage_has(
    random_index: tuple[TermIndex, dict[str, float]], edits: int
) -> None:
    index, terms = random_index
    for query in some_queries(terms, 40, seed=edits):
        found = suggest(index, query, 400, edits=edits)
        by_words = dict(index.complete(query, 400, max_edits=edits, mode="conjunctive"))
        nearly = dict(index.complete(query, 400, max_edits=edits))
        assert {one.term: one.score for one in found} == by_words | nearly
        assert len({one.term for one in found}) == len(found)
        places = [[stage.name for stage in STAGES].index(one.stage) for one in found if one.distance != 2]
        exact = [one for one in found if one.stage in ("exact", "words")]
        assert found[: len(exact)] == exact
        assert places[: len(exact)] == sorted(places[: len(exact)])
