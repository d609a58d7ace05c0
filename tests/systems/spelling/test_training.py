"""Odds that are fitted to a catalogue: nothing leaks, the rate is kept, files survive what is wrong."""

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling import Pair, Speller, Trained, misspell, read_odds, split, train, training, write_odds
from pyfastlm.spelling.candidates.odds import english_odds
from pyfastlm.spelling.candidates.options import Lexicon
from pyfastlm.spelling.training import FEWEST, Part

pytest.importorskip("sklearn")
SYLLABLES = [first + second for first, second in itertools.product("bdfgklmnprstvz", "aeiou")]


def names(count: int, seed: int = 0) -> list[str]:
    """Made-up brands, with a thing behind most of them."""
    rng = random.Random(seed)
    things = ("lamp", "kettle", "drill", "chair", "garden table", "")
    found = {f"{''.join(rng.choices(SYLLABLES, k=3))} {rng.choice(things)}".strip() for _ in range(2 * count)}
    return sorted(found)[:count]


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(names(900), rate=0.1, threads=1)


def test_it_keeps_the_rate_and_repairs_more(trained: Trained) -> None:
    report = trained.report
    assert trained.rate == 0.1
    assert math.isfinite(trained.threshold)
    assert report.n > 100
    assert report.n_novel > 50
    low, high = report.intervals.novel_false_correction_rate
    assert low <= 0.1 <= high + 0.05
    assert report.false_correction_rate == 0.0
    assert report.recall > 0.6
    assert report.recall > trained.default.recall
    assert (report.n, report.n_novel) == (trained.default.n, trained.default.n_novel)
    assert trained.examples > 500
    assert min(trained.development) > 50


def test_equal_seeds_give_equal_odds(trained: Trained) -> None:
    again = train(names(900)[::-1], rate=0.1, threads=2)
    assert again.odds == trained.odds
    assert again.threshold == trained.threshold
    assert train(names(900), rate=0.1, seed=1, threads=1).odds != trained.odds


def test_the_threshold_follows_the_rate(trained: Trained) -> None:
    strict = train(names(900), rate=0.01, threads=1)
    assert strict.odds == trained.odds
    assert strict.threshold > trained.threshold
    assert strict.report.recall <= trained.report.recall
    lax = train(names(900), rate=0.999, threads=1)
    assert math.isfinite(lax.threshold)
    assert lax.threshold < trained.threshold


def test_parts_have_nothing_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[set[str], Part]] = []
    parts_of, build = training._parts, TermIndex.build
    known: list[set[str]] = []

    def spied(*arguments: Any) -> list[Part]:
        found = parts_of(*arguments)
        asked.extend(({entry.name for entry in arguments[0]}, part) for part in found)
        return found

    def built(items: Any, *arguments: Any, **named: Any) -> TermIndex:
        items = list(items)
        known.append({name for name, _ in items})
        return build(items, *arguments, **named)

    monkeypatch.setattr(training, "_parts", spied)
    monkeypatch.setattr(TermIndex, "build", built)
    train(names(900), threads=1)
    assert len(asked) == 3
    for one, other in itertools.combinations([part for _, part in asked], 2):
        assert not {pair.gold for pair in one.pairs} & {pair.gold for pair in other.pairs}
        assert not set(one.novel) & set(other.novel)
    (indexed,) = known
    for catalogue, part in asked:
        assert indexed == catalogue
        assert {pair.gold for pair in part.pairs} <= set(part.clean) <= indexed
        assert not set(part.novel) & indexed
        assert not {pair.noisy for pair in part.pairs} & set(names(900))
    kept, new = split(names(900), held_out=0.3)
    assert indexed == {entry.name for entry in kept}
    assert {name for _, part in asked for name in part.novel} == {entry.name for entry in new}


def test_misspellings_are_no_names_and_new_names_have_letters() -> None:
    close = sorted({"".join(letters) for letters in itertools.product("asdf", repeat=5)})
    entries = training._once([*close, *map(str, range(100, 400))])
    kept, new = split(entries, held_out=0.3)
    parts = training._parts(kept, new, 20_000, 0)
    assert len(parts) == 3
    for part in parts:
        assert not {pair.noisy for pair in part.pairs} & set(close)
        assert not any(name.isdigit() for name in part.novel)


def test_examples_are_what_the_odds_are_asked_for(tmp_path: Path) -> None:
    catalogue = [("blue headset", 1.0), ("red kettle", 1.0), ("tv", 1.0)]
    index = TermIndex.build(catalogue, tmp_path / "i", similar=True)
    english = TermIndex.build([("kettl", 1.0), ("kettls", 1.0)], tmp_path / "e", similar=True)
    pairs = [Pair("blue hedset", "blue headset"), Pair("ketle", "red"), Pair("tb", "tv")]
    part = Part(pairs, [], ["blue kettl", "t"])
    expected = {"blue hedset": True, "hedset": True, "ketle": False, "kettl": False}
    for dictionary in (None, english):
        if dictionary is not None:
            del expected["kettl"]  # known, and so nothing that the odds say much about
        lexicon = Lexicon(index, dictionary, COSTS, WEIGHTS)
        texts, options, right = training._examples(lexicon, part, 1)
        assert dict(zip(texts, right, strict=True)) == expected
        assert all(options)


def test_names_come_once_in_one_form() -> None:
    given = [name.upper() for name in names(300)] + [(f" {name} ", 5.0) for name in names(300)]
    found = training._once(given)
    assert [entry.name for entry in found] == names(300)
    assert {entry.popularity for entry in found} == {6.0}


def test_units_are_those_that_are_wrong_alone() -> None:
    def found(query: str, gold: str) -> dict[str, str]:
        return {unit.text: meant for unit, meant in training._units(query, gold)}

    assert found("blue hed set", "blue headset") == {"blue hed set": "blue headset", "hed set": "headset"}
    assert found("blue ketle", "blue kettle") == {
        "blue ketle": "blue kettle",
        "ketle": "kettle",
    }
    assert found("bleu ketle", "blue kettle") == {"bleu ketle": "blue kettle"}
    assert found("headset", "headset") == {"headset": "headset"}
    assert found("blueketle", "blue kettle") == {"blueketle": "blue kettle"}
    assert found("a a", "a a") == {"a a": "a a", "a": "a"}
    assert found("13", "13") == {}


def test_too_few_names() -> None:
    for given in ([], ["lamp"], names(60)):
        with pytest.raises(InputError, match=rf"^names: expected enough for {FEWEST} misspellings and"):
            train(given)
    with pytest.raises(InputError, match=r"^names: expected several, got one string"):
        train("lamp")


def test_wrong_arguments(tmp_path: Path) -> None:
    for rate in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(InputError, match=r"^rate: expected a number between 0 and 1"):
            train(names(900), rate=rate)
    with pytest.raises(InputError, match=r"^held_out: expected a number between 0 and 1"):
        train(names(900), held_out=1.0)
    for most in (10, True, 1e9):
        with pytest.raises(InputError, match=rf"^most: expected a whole number >= {4 * FEWEST}"):
            train(names(900), most=most)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^seed: expected a whole number >= 0"):
        train(names(900), seed=-1)
    TermIndex.build([("a", 1.0)], tmp_path / "plain")
    with pytest.raises(InputError, match=r"^english: expected an index built with similar=True"):
        train(names(900), english=tmp_path / "plain")


def test_files_of_odds(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "odds.json"
    write_odds(path, trained.odds, trained.threshold)
    assert read_odds(path) == (trained.odds, trained.threshold)
    assert list(tmp_path.iterdir()) == [path]
    index = TermIndex.build([(name, 1.0) for name in names(900)], tmp_path / "i", similar=True)
    one = Speller(index, odds=trained.odds, threshold=trained.threshold)
    saved = read_odds(path)
    other = Speller(index, odds=saved.odds, threshold=saved.threshold)
    queries = [pair.noisy for pair in misspell(names(50))]
    assert one.correct_all(queries) == other.correct_all(queries)
    with pytest.raises(InputError, match=r"^threshold: expected a finite number, got inf"):
        write_odds(path, trained.odds, math.inf)
    assert read_odds(path) == (trained.odds, trained.threshold)


WHOLE = {"format": "pyfastlm spelling odds 1", "threshold": 0.5, **english_odds().as_dict()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe{}", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"threshold": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b"[]", "has no odds that write_odds wrote"),
        (json.dumps(english_odds().as_dict()).encode(), "has no odds that write_odds wrote"),
        (json.dumps(WHOLE | {"threshold": None}).encode(), "threshold: expected a finite number, got None"),
        (json.dumps(WHOLE | {"threshold": math.nan}).encode(), "threshold: expected a finite number"),
        (json.dumps(WHOLE | {"threshold": True}).encode(), "threshold: expected a finite number"),
        (json.dumps(WHOLE | {"threshold": 10**400}).encode(), "odds.json"),
        (json.dumps(WHOLE | {"bias": "x"}).encode(), "odds: expected the odds of a speller"),
        (json.dumps(WHOLE | {"shapes": {}}).encode(), "odds: expected the odds of a speller"),
    ],
    ids=str,
)
def test_files_that_are_none(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "odds.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^path: ") as caught:
        read_odds(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^path: cannot read .*: No such file"):
        read_odds(tmp_path / "none")
    with pytest.raises(InputError, match=r"^path: cannot read .*: Is a directory"):
        read_odds(tmp_path)
