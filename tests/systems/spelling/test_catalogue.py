"""Catalogues: how they are read and split, queries made of their names, names that look like brands."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.spelling import Entry, brand_like, queries, read_catalogue, split
from pyfastlm.spelling.catalogue.queries import Habits

NAMES = [f"{brand} {thing}" for brand in ("Acme", "Bolto", "Zyrk") for thing in ("lamp", "desk lamp", "rug")]


def file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_names_with_and_without_popularity(tmp_path: Path) -> None:
    text = "\ufeffAcme lamp\t12\r\n Bolto  rug \t 0.5\r\n\r\nZyrk 3000\nlampe\t1e3"
    expected = [("Acme lamp", 12.0), ("Bolto  rug", 0.5), ("Zyrk 3000", 1.0), ("lampe", 1000.0)]
    assert list(read_catalogue(file(tmp_path / "a.tsv", text))) == expected
    assert list(read_catalogue(file(tmp_path / "a.gz", gzip.compress(text.encode())))) == expected


def test_counts(tmp_path: Path) -> None:
    path = file(tmp_path / "a", "the 23\nabcs of 10 \n")
    assert list(read_catalogue(path, format="counts")) == [("the", 23.0), ("abcs of", 10.0)]
    assert list(read_catalogue(path, format="tab")) == [("the 23", 1.0), ("abcs of 10", 1.0)]


def test_what_may_be_a_name_or_a_count_must_be_named(tmp_path: Path) -> None:
    for text in ("the 23\nof 10\n", "iphone 13\niphone 14\n", "7\n"):
        with pytest.raises(InputError, match=r'line 1: a name that ends in a number, .* format="counts"'):
            read_catalogue(file(tmp_path / "a", text))
    assert len(list(read_catalogue(file(tmp_path / "a", "iphone 13\niphone\n")))) == 2
    assert len(list(read_catalogue(file(tmp_path / "a", "iphone 13\niphone 14\t3\n")))) == 2


@pytest.mark.parametrize(
    ("content", "form", "message"),
    [
        ("", None, "has no text"),
        ("a\tmany\n", None, "line 1: expected a popularity, a finite number >= 0, got 'many'"),
        ("a\t1\nb\t-1\n", None, "line 2: expected a popularity"),
        ("a\tnan\n", None, "line 1: expected a popularity"),
        ("a\tinf\n", None, "line 1: expected a popularity"),
        ("a\t\n", None, "line 1: expected a popularity, .* got ''"),
        ("\t3\n", None, "line 1: the name is empty"),
        ("a\tb\t3\n", None, "line 1: expected name .TAB popularity., got more columns"),
        ("the\n", "counts", "line 1: expected term count, got 'the'"),
        ("the many\n", "counts", "line 1: expected a popularity, .* got 'many'"),
        (b"a\t1\nb\xff\n", None, "line 2: not UTF-8"),
    ],
)
def test_wrong_files(content: str | bytes, form: str | None, message: str, tmp_path: Path) -> None:
    path = file(tmp_path / "list", content)
    with pytest.raises(InputError, match=f"path: '.*list'.*{message}"):
        list(read_catalogue(path, format=form))  # type: ignore[arg-type]


def test_wrong_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format: expected tab or counts, got 'csv'"):
        read_catalogue(file(tmp_path / "a", "a\n"), format="csv")  # type: ignore[arg-type]


def test_split_by_the_name_alone() -> None:
    names = [f"name {number}" for number in range(5000)]
    catalogue, novel = split(names, held_out=0.2, seed=1)
    assert [*catalogue, *novel] != [Entry(name) for name in names]
    assert sorted([*catalogue, *novel]) == sorted(Entry(name) for name in names)
    assert len(novel) / 5000 == pytest.approx(0.2, abs=0.02)
    # Each is where it was whatever the others are, and in whatever case it is written.
    some = split([name.upper().replace(" ", "  ") for name in reversed(names[:100])], held_out=0.2, seed=1)
    assert {entry.name.lower().replace("  ", " ") for entry in some.novel} == {
        entry.name for entry in novel if entry.name in names[:100]
    }
    assert {entry.name for entry in split(names, held_out=0.1, seed=1).novel} < {
        entry.name for entry in novel
    }
    assert split(names, held_out=0.2, seed=2).novel != novel


def test_whole_brands_are_held_out() -> None:
    names = [f"brand{number} {thing}" for number in range(300) for thing in ("lamp", "rug")]
    found = split([(name, 2.0) for name in names], held_out=0.3, key=lambda name: name.split()[0])
    brands = [{entry.name.split()[0] for entry in side} for side in found]
    assert brands[0].isdisjoint(brands[1])
    assert all(entry.popularity == 2.0 for side in found for entry in side)
    assert len(brands[1]) / 300 == pytest.approx(0.3, abs=0.1)


def test_brand_like_names_are_new_single_words() -> None:
    names = [
        "Playgro",
        "playgro",
        "hygeeni",
        "hygiene",
        "two words",
        "x-ray",
        "abc",
        "a" * 15,
        "mp3player",
        "straße",
    ]
    assert brand_like(names, ["HYGIENE"]) == ["hygeeni", "playgro", "strasse"]
    assert brand_like(names, [], shortest=3, longest=3) == ["abc"]
    many = [f"{a}{b}zzz{c}" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"]
    some = brand_like(many, many[:100], count=50, seed=1)
    assert len(set(some)) == 50
    assert set(some) <= set(many[100:])
    assert some == sorted(some) == brand_like(reversed(many), many[:100], count=50, seed=1)
    assert some != brand_like(many, many[:100], count=50, seed=2)
    with pytest.raises(InputError, match="count: expected 1 to 2, as many as were found, got 3"):
        brand_like(["playgro", "hygeeni"], [], count=3)
    with pytest.raises(InputError, match="shortest: expected 1 to longest"):
        brand_like([], [], shortest=9, longest=3)


def test_queries_are_drawn_by_popularity() -> None:
    found = queries([("Acme lamp", 30.0), ("Bolto rug", 10.0), ("never", 0.0)], ["red"], 4000, seed=1)
    assert sum(entry.popularity for entry in found) == 4000
    assert [entry.popularity for entry in found] == sorted((e.popularity for e in found), reverse=True)
    assert len({entry.name for entry in found}) == len(found)
    of = Counter[str]()
    for text, popularity in found:
        of["acme" if {"acme", "lamp"} & set(text.lower().split()) else "bolto"] += int(popularity)
    assert of["acme"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert not any("never" in entry.name for entry in found)


def test_queries_have_the_habits_they_are_given() -> None:
    plain = Habits(partial=0.0, attribute=0.0, swapped=0.0, small=0.0)
    assert {entry.name for entry in queries(NAMES, [], 500, habits=plain)} == set(NAMES)
    small = queries(
        NAMES,
        ["red", "blue"],
        500,
        habits=Habits(partial=0.0, attribute=1.0, second=0.0, swapped=0.0, small=1.0),
    )
    expected = {f"{a} {n.lower()}" for a in ("red", "blue") for n in NAMES}
    expected |= {f"{n.lower()} {a}" for a in ("red", "blue") for n in NAMES}
    assert {entry.name for entry in small} == expected
    partial = {
        e.name for e in queries(["a b c"], [], 500, habits=Habits(partial=1.0, attribute=0.0, swapped=0.0))
    }
    assert partial == {"a", "a b", "b c", "a c"}
    assert {e.name for e in queries(["a"], [], 50, habits=Habits(partial=1.0))} == {"a"}
    second = {
        e.name
        for e in queries(
            ["a"], ["x", "y"], 200, habits=Habits(attribute=1.0, second=1.0, before=0.0, swapped=0.0)
        )
    }
    assert second == {"a x y", "a y x"}
    swapped = {
        e.name for e in queries(["a b c"], [], 99, habits=Habits(partial=0.0, attribute=0.0, swapped=1.0))
    }
    assert swapped == {"b a c", "a c b"}


def test_equal_seeds_give_equal_queries() -> None:
    assert queries(NAMES, ["red"], 300, seed=1) == queries(NAMES, ["red"], 300, seed=1)
    assert queries(NAMES, ["red"], 300, seed=1) != queries(NAMES, ["red"], 300, seed=2)


def test_wrong_names() -> None:
    with pytest.raises(InputError, match="count: expected a whole number >= 1, got 0"):
        queries(NAMES, [], 0)
    for names in ([], [("a", 0.0)]):
        with pytest.raises(InputError, match="names: expected at least one with a popularity above 0"):
            queries(names, [], 3)
    with pytest.raises(InputError, match="held_out: expected a number between 0 and 1, got 1"):
        split(NAMES, held_out=1)
    for wrong in ([" "], [("a", -1.0)], [("a", float("nan"))]):
        with pytest.raises(InputError, match="names: expected"):
            split(wrong)  # type: ignore[arg-type]
    for other in ([3], [("a", "b")], [("a",)], [("a", True)], "names"):
        with pytest.raises(InputTypeError, match="names: expected"):
            split(other)  # type: ignore[arg-type]
