"""The steps of the speller, each by itself: what is looked up, what is offered, odds, whole queries."""

import itertools
import json
import math
import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.index import Similar, TermIndex
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling.candidates.assembly import Change, assembled
from pyfastlm.spelling.candidates.features import NAMES, NEVER, features
from pyfastlm.spelling.candidates.odds import Odds, Shape, english_odds, fit_odds
from pyfastlm.spelling.candidates.options import KEPT, Lexicon
from pyfastlm.spelling.candidates.units import LONGEST, MOST_WORDS, Unit, parts_of, whole_of


def similar(term: str, fit: float = -5.0, cost: float = 1.0, edits: int = 1, share: float = 0.5) -> Similar:
    return Similar(term, 1.0, edits, cost, share, fit)


# Units


def test_units_of_a_query() -> None:
    assert whole_of("blue head set") == Unit("blue head set", 0, 3)
    assert parts_of("blue head set") == [
        Unit("blue", 0, 1),
        Unit("head", 1, 2),
        Unit("set", 2, 3),
        Unit("blue head", 0, 2, True),
        Unit("head set", 1, 3, True),
    ]
    assert parts_of("headset") == []
    # What has no letter is no misspelling, but may be one with its neighbour.
    assert [unit.text for unit in parts_of("13 14 lamp")] == ["lamp", "14 lamp"]


@pytest.mark.parametrize(
    "query", ["", "13", "13 +", "\U0001f600", "a" * (LONGEST + 1), " ".join(["a"] * (MOST_WORDS + 1))]
)
def test_what_has_no_unit(query: str) -> None:
    assert whole_of(query) is None


@pytest.mark.parametrize("query", ["a" * LONGEST, " ".join(["a"] * MOST_WORDS), "é", "кофе", "咖啡"])
def test_what_has_one(query: str) -> None:
    assert whole_of(query) is not None


# Options


@pytest.fixture
def indexes(tmp_path: Path) -> tuple[TermIndex, TermIndex]:
    names = [
        ("blue headset", 9.0),
        ("iphone 13", 5.0),
        ("notebook", 4.0),
        ("head seat", 2.0),
        ("hadset", 1.0),
    ]
    words = [("headset", 50.0), ("headsets", 5.0), ("beheaded", 3.0), ("note", 9.0)]
    built = [
        TermIndex.build(terms, tmp_path / name, normalizer="nfkc_casefold", similar=True)
        for name, terms in (("names", names), ("words", words))
    ]
    return built[0], built[1]


def test_options(indexes: tuple[TermIndex, TermIndex]) -> None:
    names, words = indexes
    lexicon = Lexicon(names, words, COSTS, WEIGHTS)
    units = [Unit(text, 0, 1) for text in ("headset", "hedset", "iphone 14", "note", "headsets", "zzz")]
    units.append(Unit("head set", 0, 2, True))
    found = lexicon.options(units, 1)
    assert found.keys() == {(unit.text, unit.joined) for unit in units}
    word = found["headset", False]
    assert (word.known, word.catalogued) == (True, True)  # a word of a name
    assert "headset" not in [one.term for one in word.terms]
    wrong = found["hedset", False]
    assert (wrong.known, wrong.catalogued) == (False, False)
    assert wrong.terms[0].term == "headset"
    assert len({one.term for one in wrong.terms}) == len(wrong.terms) <= KEPT
    assert [one.fit for one in wrong.terms] == sorted((one.fit for one in wrong.terms), reverse=True)
    assert "iphone 13" not in [one.term for one in found["iphone 14", False].terms]
    for text in ("note", "headsets"):
        assert (found[text, False].known, found[text, False].catalogued) == (True, False)
    assert found["zzz", False].terms == ()
    joined = found["head set", True]
    assert joined.terms[0].term == "headset"
    assert "head seat" in [one.term for one in names.similar("head set")]
    assert not any(" " in one.term for one in joined.terms)
    assert lexicon.options([], 1) == {}
    # Of two with the same term the better one is kept, whichever index has it.
    alone = [Lexicon(index, None, COSTS, WEIGHTS).options([units[1]], 1) for index in indexes]
    fits = [one.fit for of in alone for one in of["hedset", False].terms if one.term == "headset"]
    assert len(fits) == 2
    assert wrong.terms[0].fit == max(fits)


def test_options_of_both_are_in_one_order(tmp_path: Path) -> None:
    names = TermIndex.build([("kettel", 1.0), ("other", 1e6)], tmp_path / "names", similar=True)
    words = TermIndex.build([("kettle", 1e6)], tmp_path / "words", similar=True)
    found = Lexicon(names, words, COSTS, WEIGHTS).options([Unit("ketle", 0, 1)], 1)
    assert [one.term for one in found["ketle", False].terms] == ["kettle", "kettel"]


def test_a_word_that_many_names_crowd_out_is_catalogued(tmp_path: Path) -> None:
    names = [(f"lamp{letter}", 1e6) for letter in string.ascii_lowercase if letter != "x"]
    index = TermIndex.build([*names, ("lampx pro", 1.0)], tmp_path / "i", similar=True)
    assert "lampx" not in [one.term for one in index.similar("lampx", 12, words=True)]
    units = [Unit(text, 0, 1) for text in ("lampx", "lampxx", "pro lampx")]
    lexicon = Lexicon(index, None, COSTS, WEIGHTS)
    found = lexicon.options(units, 1)
    assert found["lampx", False].catalogued
    assert not found["lampxx", False].catalogued
    assert not found["pro lampx", False].catalogued, "another order is another name"
    assert len(found["lampxx", False].terms) == KEPT
    index.add("new lampxx", 1.0)
    assert lexicon.options(units, 1)["lampxx", False].catalogued


# Whole queries


def every_way(words: Sequence[str], changes: dict[tuple[int, int], list[Change]]) -> dict[str, float]:
    """The best score of each text, from all ways to cut the words and to write the pieces."""
    found: dict[str, float] = {}

    def go(place: int, texts: list[str], score: float) -> None:
        if place == len(words):
            text = " ".join(texts)
            found[text] = max(score, found.get(text, -math.inf))
            return
        go(place + 1, [*texts, words[place]], score)
        for end in range(place + 1, len(words) + 1):
            for change in changes.get((place, end), ()):
                go(end, [*texts, change.text], score + change.gain)

    go(0, [], 0.0)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_assembly_against_every_way(seed: int) -> None:
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(rng.randrange(1, 5))]
    spans = [(a, b) for a, b in itertools.combinations(range(len(words) + 1), 2)]
    changes = {
        # No text twice: a unit has each option once.
        span: [
            Change(f"t{n}", float(rng.randrange(-6, 7)), 1.0)
            for n in rng.sample(range(6), rng.randrange(1, 4))
        ]
        for span in rng.sample(spans, rng.randrange(len(spans) + 1))
    }
    expected = every_way(words, changes)
    found = assembled(words, changes, 10_000)
    query = " ".join(words)
    assert {one.text: one.score for one in found} == expected | {query: 0.0}
    assert [one.score for one in found] == sorted(expected.values(), reverse=True)
    assert next(one for one in found if one.text == query) == (query, 0.0, 0.0)


@pytest.mark.parametrize("spans", [[(0, 1)], [(0, 1), (1, 2)]])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_query_is_there_with_any_width(spans: list[tuple[int, int]], width: int) -> None:
    words = ["aaa", "bbb"][: len(spans)]
    changes = {span: [Change(f"c{n}", 9.0 - n, 1.0) for n in range(8)] for span in spans}
    found = assembled(words, changes, width)
    assert len(found) == width + 1
    assert found[-1] == (" ".join(words), 0.0, 0.0)
    assert found[0].text == " ".join("c0" for _ in words)


@pytest.mark.parametrize("width", [2, 3, 8])
def test_words_do_not_crowd_out_a_name_for_all_of_the_query(width: int) -> None:
    parts = {span: [Change(f"c{n}", 9.0 - n, 1.0) for n in range(8)] for span in [(0, 1), (1, 2)]}
    names = [Change("far", -9.0, 3.0), Change("near", -5.0, 2.0)]
    found = assembled(["aaa", "bbb"], parts | {(0, 2): names}, width)
    assert [one.text for one in found[-2:]] == ["aaa bbb", "near"]
    assert len(found) == width + 1
    assert found[: width - 1] == assembled(["aaa", "bbb"], parts, width)[: width - 1]


# Odds


def test_features_by_hand() -> None:
    options = [
        similar("headset", -4.0, 0.5, 1, 0.6),
        similar("head set", -6.0, 1.2, 1, 0.4),
        similar("basket", -7.0, 3.0, 2, 0.1),
    ]
    found = dict(zip(NAMES, features("haedset", options), strict=True))
    assert found == {
        "fit": -4.0,
        "cost": 0.5,
        "edits": 1,
        "easiness": 0.5,
        "share": 0.6,
        "length": 7,
        "longer": 0,
        "same first": True,
        "same last": True,
        "same letters": True,
        "two words": False,
        "split": -2.0,
        "second": -2.0,
        "crowd": pytest.approx(math.log(1 + math.exp(-2) + math.exp(-3))),
        "near by cost": 1,
        "near by edits": 2,
    }
    alone = dict(zip(NAMES, features("xeadset", options[:1]), strict=True))
    assert (alone["split"], alone["second"], alone["crowd"]) == (NEVER, NEVER, 0.0)
    assert not alone["same first"]


def test_a_shape_is_a_broken_line() -> None:
    shape = Shape((0.0, 1.0, 3.0), (2.0, 4.0, 0.0))
    assert [shape(x) for x in (-9.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0)] == [2.0, 2.0, 3.0, 4.0, 2.0, 0.0, 0.0]


def test_odds_through_json() -> None:
    odds = english_odds()
    again = Odds.of_dict(json.loads(json.dumps(odds.as_dict())))
    assert again == odds
    options = [similar("headset"), similar("headsets", -9.0, 2.0, 2)]
    assert again("hedset", options) == odds("hedset", options)


def damaged() -> list[Any]:
    whole = english_odds().as_dict()

    def having(name: str, **other: Any) -> dict[str, Any]:
        return whole | {"shapes": whole["shapes"] | {name: whole["shapes"][name] | other}}

    values: list[Any] = [
        None,
        5,
        "odds",
        [],
        {},
        {"bias": 1.0},
        whole | {"shapes": None},
        whole | {"bias": None},
    ]
    values += [whole | {"bias": bias} for bias in (math.nan, math.inf, "1", True, [1.0], 10**400)]
    values += [having("fit", knots=knots) for knots in ([], [1.0], "1", None, {"a": 1}, [2.0, 1.0, 3.0])]
    count = len(whole["shapes"]["fit"]["knots"])
    values.append(having("fit", knots=[1.0] * count))  # they do not rise
    for value in (math.nan, -math.inf, "1", None, False, [1.0], 10**400):
        values.append(having("fit", values=[value] * count))
        values.append(having("fit", knots=[value] * count))
    values.append(
        whole | {"shapes": {name: part for name, part in whole["shapes"].items() if name != "crowd"}}
    )
    return values


@pytest.mark.parametrize("value", damaged(), ids=lambda value: f"{value!r:.30}")
def test_what_is_no_odds(value: Any) -> None:
    with pytest.raises(InputError, match=r"^odds: "):
        Odds.of_dict(value)


def some(seed: int, count: int = 400) -> tuple[list[str], list[list[Similar]], list[bool]]:
    """Misspellings cost little; what resembles new names costs much. Both costs overlap."""
    rng = random.Random(seed)
    right = [rng.random() < 0.5 for _ in range(count)]
    options = []
    for each in right:
        cost = rng.gauss(0.8 if each else 2.2, 0.35)
        options.append([similar("headset", -10 + rng.gauss(0, 1), cost), similar("head", -14.0, 3.0, 3)])
    return ["heedset"] * count, options, right


def test_fitted_odds_tell_misspellings_from_new_names() -> None:
    pytest.importorskip("sklearn")
    odds = fit_odds(*some(0))
    texts, options, right = some(1)
    found = [odds(text, of) for text, of in zip(texts, options, strict=True)]
    accuracy = sum((one > 0) == each for one, each in zip(found, right, strict=True)) / len(right)
    assert accuracy > 0.93
    # They are log-odds: what is said to be 9 of 10 is so about as often.
    said = [1 / (1 + math.exp(-one)) for one in found]
    assert sum(said) == pytest.approx(sum(right), abs=0.05 * len(right))
    assert all(len(shape.knots) <= 7 for shape in odds.shapes)
    assert Odds.of_dict(json.loads(json.dumps(odds.as_dict()))) == odds


def test_texts_without_options_are_left_out() -> None:
    pytest.importorskip("sklearn")
    texts, options, right = some(2)
    assert fit_odds([*texts, "zz"], [*options, []], [*right, False]) == fit_odds(texts, options, right)


@pytest.mark.parametrize("right", [True, False])
def test_one_side_alone_is_refused(right: bool) -> None:
    pytest.importorskip("sklearn")
    texts, options, _ = some(3, 20)
    with pytest.raises(InputError, match=r"^right: expected some that are right and some that are not"):
        fit_odds(texts, options, [right] * 20)
    with pytest.raises(InputError, match=r"^right: "):
        fit_odds(["zz"], [[]], [right])
