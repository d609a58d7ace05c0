"""Reports as files: everything comes back, and a damaged file says so."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from correctors import Scripted

from pyfastlm.errors import InputError
from pyfastlm.spelling import DoNothing, Pair, curve, difference, evaluate, read_report, write_report

PAIRS = [Pair("teh", "the", "swap"), Pair("fone", "phone", "ph"), Pair("nite", "night", "ph")]
ANSWERS = {"teh": [("the", 2.0)], "fone": [("phone", math.inf)], "acme": [("acne", -1.5)]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    report = evaluate(Scripted(ANSWERS), PAIRS, ["acme", "lamp"], novel=["zyrk"], k=3, seed=4)
    write_report(report, tmp_path / "report.json")
    return tmp_path / "report.json"


def test_everything_comes_back(path: Path) -> None:
    report = evaluate(Scripted(ANSWERS), PAIRS, ["acme", "lamp"], novel=["zyrk"], k=3, seed=4)
    again = read_report(path)
    assert {**again.as_dict(), "latency": 0} == {**report.as_dict(), "latency": 0}
    assert again.outcomes.margin.tolist() == [2.0, math.inf, -math.inf]
    assert (again.seed, again.k, again.latency.timed) == (4, 3, 6)
    assert difference(again, report).recall == (0.0, (0.0, 0.0))
    assert curve(again).recall.tolist() == curve(report).recall.tolist()
    assert [item.name for item in path.parent.iterdir()] == ["report.json"]
    write_report(again, path.with_name("again.json"))
    assert path.with_name("again.json").read_bytes() == path.read_bytes()


def test_it_is_json_that_others_read(path: Path) -> None:
    def no_constant(name: str) -> Any:
        raise ValueError(name)

    value = json.loads(path.read_text(), parse_constant=no_constant)
    assert value["report"]["recall"] == value["report"]["exact_match"] == pytest.approx(2 / 3)
    assert value["report"]["by_kind"][0]["kind"] == "ph"
    assert value["outcomes"]["margin"] == [2.0, "inf", "-inf"]
    plain = evaluate(DoNothing(), PAIRS, [])
    json.dumps(plain.as_dict(), allow_nan=False)


def test_a_failed_write_leaves_what_was_there(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(OSError, match="No such file"):
        write_report(read_report(path), path.parent / "none" / "a.json")
    assert path.read_bytes() == before


def change(value: Any, keys: str, to: Any) -> None:
    *parents, last = keys.split(".")
    for key in parents:
        value = value[key]
    if to is None:
        del value[last]
    else:
        value[last] = to


@pytest.mark.parametrize(
    ("keys", "to"),
    [
        ("outcomes", None),
        ("report", None),
        ("report.seed", -1),
        ("report.latency.p50", None),
        ("report.latency.p50", "x"),
        ("report.latency", 3),
        ("outcomes.kinds", []),
        ("outcomes.kinds", [1, 2, 3]),
        ("outcomes.kinds", ["a", "b"]),
        ("outcomes.right", [0, 1]),
        ("outcomes.right", [0, 1, 2]),
        ("outcomes.right", 7),
        ("outcomes.margin", [1.0, "NaN", 2.0]),
        ("outcomes.margin", [1.0, float("nan"), 2.0]),
        ("outcomes.margin", [1.0, True, 2.0]),
        ("outcomes.margin", [1.0, [1.0], 2.0]),
        ("outcomes.rank", [1, 2, 4]),
        ("outcomes.rank", [1, -2, 3]),
        ("outcomes.rank", [1, 2]),
        ("outcomes.meant", [0, 1, 3]),
        ("outcomes.meant", [0, 1]),
        ("outcomes.k", 0),
        ("outcomes.k", 10**30),
        ("outcomes.clean.margin", [1.0]),
        ("outcomes.novel", [1]),
        ("outcomes.digest", 3),
        ("outcomes.digest", None),
    ],
)
def test_damaged_files(keys: str, to: Any, path: Path) -> None:
    value = json.loads(path.read_bytes())
    change(value, keys, to)
    path.write_text(json.dumps(value))
    if keys == "outcomes.k" and to:
        assert read_report(path).k == to
        return
    with pytest.raises(InputError, match=r"path: '.*report.json' is a damaged report"):
        read_report(path)


def test_other_files(path: Path) -> None:
    whole = path.read_bytes()
    for content, message in {
        b"": "is no JSON",
        whole[:-40]: "is no JSON",
        b"\xff": "is no JSON",
        b"[" * 100_000: "is no JSON",
        b"[]": "is no report that write_report wrote",
        b'{"format": "other"}': "is no report that write_report wrote",
    }.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_report(path)
    with pytest.raises(InputError, match=r"path: cannot read '.*none': No such file"):
        read_report(path.with_name("none"))


def test_changed_bytes_are_read_or_refused(path: Path) -> None:
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.choice(b'0123456789"[]{},.-ei')
        path.write_bytes(data)
        try:
            read_report(path)
        except InputError:
            continue
