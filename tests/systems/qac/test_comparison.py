"""Engines side by side, and the command that shows them."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from searches import TERMS, sample_rows

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.qac import Habits, compare, evaluate, generate, one_prefix, write_amazonqac
from pyfastlm.qac.comparison import QUICK
from pyfastlm.qac.split import sample

CUT = datetime(2023, 9, 20)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(TERMS.items(), tmp_path_factory.mktemp("comparison") / "terms")


def test_engines_and_their_controls(index: TermIndex) -> None:
    rows = one_prefix(generate(TERMS.items(), 600, seed=4, habits=Habits(repeat=0.8)))
    engines = [name for name in QUICK if name != "conjunctive"]
    found = compare(index, rows, engines, k=1)
    by_name = {row.name: row for row in found.rows}
    assert list(by_name) == ["no order", "popularity", "typos", "context", "context, other contexts"]
    popularity = by_name["popularity"]
    assert popularity.report.success_at_k == evaluate(index, rows, 1).success_at_k
    assert (popularity.gain, popularity.gain_interval) == (0.0, (0.0, 0.0))
    for row in found.rows:
        gain = row.report.success_at_k - popularity.report.success_at_k
        assert row.gain == pytest.approx(gain)
        assert row.gain_interval[0] <= row.gain <= row.gain_interval[1]
    # Counts decide what is typed, and most searches are repeated here: both must show.
    assert by_name["no order"].gain_interval[1] < 0
    assert by_name["context"].gain_interval[0] > 0
    assert by_name["context, other contexts"].gain < by_name["context"].gain_interval[0]
    assert len(found.cells()) == 5
    assert {len(cells) for cells in found.cells()} == {len(found.columns())}


def test_controls_can_be_left_out_and_one_context_cannot_be_exchanged(index: TermIndex) -> None:
    rows = one_prefix(sample_rows(50, seed=4))
    names = [row.name for row in compare(index, rows, ["context"], controls=False).rows]
    assert names == ["popularity", "context"]
    alone = [row._replace(past=()) for row in rows]
    assert [row.name for row in compare(index, alone, ["context"]).rows] == names


def test_wrong_engines(index: TermIndex) -> None:
    rows = one_prefix(sample_rows(5, seed=0))
    with pytest.raises(InputError, match=r"engines: expected some of no order, .*, got 'oracle'"):
        compare(index, rows, ["oracle"])
    with pytest.raises(InputError, match="rows: expected at least one"):
        compare(index, [])


@pytest.fixture
def files(index: TermIndex, tmp_path: Path) -> dict[str, Path]:
    rows = sample_rows(150, seed=9)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("train", "test")}
    write_amazonqac([row for row in rows if row.time < CUT], paths["train"])
    write_amazonqac(one_prefix(rows, since=CUT), paths["test"])
    return paths | {"index": Path(index._path)}


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["qac", "eval", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_the_command_prints_what_the_library_finds(
    files: dict[str, Path], index: TermIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(capsys, files["test"], "-i", files["index"], "--engines", "typos,context", "--json")
    found: dict[str, Any] = json.loads(out)
    rows = one_prefix(sample_rows(150, seed=9), since=CUT)
    expected = compare(index, rows, ["typos", "context"])
    assert [engine["engine"] for engine in found["engines"]] == [row.name for row in expected.rows]
    for engine, row in zip(found["engines"], expected.rows, strict=True):
        assert engine["success_at_k"] == row.report.success_at_k
        assert engine["gain_interval"] == list(row.gain_interval)
        assert engine["ceilings"]["true_prefix"] == row.report.ceilings.true_prefix


def test_the_command_draws_prefixes_of_the_train_split(
    files: dict[str, Path], index: TermIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(
        capsys, files["train"], "-i", files["index"], "--engines", "popularity", "--limit", 40, "--json"
    )
    rows = [row for row in sample_rows(150, seed=9) if row.time < CUT]
    some = sample(one_prefix(rows), 40)
    assert json.loads(out)["engines"][0]["success_at_k"] == evaluate(index, some).success_at_k


def test_the_command_as_tables(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, files["test"], "-i", files["index"], "--engines", "popularity", "--details")
    for shown in ("popularity", "Ceilings", "prefix 3", "with context", "not in dictionary"):
        assert shown in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engines", "oracle"], "engines: expected some of"),
        (["--index", "no such file"], "no such file"),
        (["-k", "0"], "Invalid value for '-k'"),
    ],
)
def test_the_command_refuses(
    arguments: list[str], message: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["qac", "eval", str(files["test"]), "-i", str(files["index"]), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_from_counts_to_a_table_by_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pipeline of `pyfastlm qac sessions --help`."""
    (tmp_path / "counts.tsv").write_text(
        "".join(f"{count:g}\t{term}\n" for term, count in TERMS.items()), "utf-8"
    )
    logs, counts, terms = tmp_path / "logs", tmp_path / "counts.parquet", tmp_path / "terms"
    for arguments in (
        ["sessions", tmp_path / "counts.tsv", "-o", logs, "--sessions", 200, "--json"],
        ["count", logs / "train.parquet", "-o", counts, "--until", "2023-09-15", "--json"],
        ["build", counts, "-o", terms, "--json"],
        ["eval", logs / "test.parquet", "--earlier", logs / "earlier.parquet", "-i", terms, "--json"],
    ):
        capsys.readouterr()
        assert run(["qac", *map(str, arguments)]) == 0, capsys.readouterr().err
        found = json.loads(capsys.readouterr().out)
        if arguments[0] == "sessions":
            assert sum(found["rows"].values()) == len(sample_rows(200, seed=0))
        if arguments[0] == "count":
            rows = [row for row in sample_rows(200, seed=0) if row.time < datetime(2023, 9, 15)]
            assert (found["rows"], found["terms"]) == (len(rows), len({row.term for row in rows}))
    assert [engine["engine"] for engine in found["engines"]] == [
        "no order",
        "popularity",
        "typos",
        "conjunctive",
        "context",
        "context, other contexts",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sessions", "{counts}", "-o", "{out}", "--train", "29"],
            "days: expected more than train and earlier",
        ),
        (["sessions", "{out}.tsv", "-o", "{out}"], "cannot read"),
        (["count", "{counts}", "-o", "{out}"], "files: expected .parquet or .jsonl"),
        (["count", "{out}.parquet", "-o", "{out}"], "cannot read"),
        (["count", "x.parquet", "-o", "{out}", "--until", "soon"], "until: expected a date"),
    ],
)
def test_commands_for_logs_refuse(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "counts.txt").write_text("3\ta\n")
    names = {"counts": tmp_path / "counts.txt", "out": tmp_path / "out"}
    capsys.readouterr()
    assert run(["qac", *(argument.format_map(names) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
