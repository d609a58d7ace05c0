"""The command line of selection: what ``correlate``, ``project`` and ``report`` print, write and refuse."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from planted import matrix_of, plant

from pyfastlm.cli.app import run
from pyfastlm.selection import Selection

pytest.importorskip("pyfastlm.selection.tables.reference_tables", reason="the reader of errors is not there")

MODELS, DOMAINS = 16, 30


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A matrix, and errors in the form of the reference: a column for each model, in another order."""
    x, y, _ = plant(1, models=MODELS, domains=DOMAINS)
    matrix = matrix_of(x, families=[row // 2 for row in range(MODELS)], tokens=np.arange(10, 10 + DOMAINS))
    matrix.save(tmp_path / "bpb.parquet")
    order = np.random.default_rng(0).permutation(MODELS)[:-1]
    heads = ",".join(f"\"('f{row // 2}', 'm{row}')\"" for row in order)
    rows = [
        f"first,{','.join(str(y[row]) for row in order)}",
        f"other,{','.join(str(1 - y[row]) for row in order)}",
    ]
    (tmp_path / "errors.csv").write_text("\n".join([f"benchmark,{heads}", *rows]) + "\n")
    return tmp_path / "bpb.parquet", tmp_path / "errors.csv"


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["select", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["select", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("pyfastlm: error: ")
    return err


def test_correlate(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--replicates", 20, "--permutations", 30, "--top", 3]
    table = output(capsys, "correlate", *files, *quick, "-o", tmp_path / "c.parquet")
    assert "spearmanr: first" in table
    assert "has no errors" in table
    assert table.count("│ d") == 6
    rows = pq.read_table(tmp_path / "c.parquet")
    assert rows.num_rows == 2 * DOMAINS
    found = json.loads(output(capsys, "correlate", *files, *quick, "--json", "-e", "sign_sign"))
    assert [one["benchmark"] for one in found["benchmarks"]] == ["first", "other"]
    first, other = (np.array([row["estimate"] for row in one["domains"]]) for one in found["benchmarks"])
    assert np.allclose(first, -other)


def test_project(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["project", *files, "-o", tmp_path / "s.parquet", "--replicates", 10]
    table = output(capsys, *arguments, "--budget", 101, "--group", "one=first")
    assert "in common with a draw's selection" in table
    made = Selection.open(tmp_path / "s.one.parquet")
    assert made.allotted.sum() == 101
    assert made.basis.benchmarks == ("first",)
    found = json.loads(output(capsys, *arguments, "--keep", 0.2, "--json"))
    assert sum(row["allotted"] for row in found["selections"][0]["domains"]) == 147
    assert Selection.open(tmp_path / "s.parquet").basis.budget == 147


def test_report(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--keep", 0.2, "--replicates", 10, "--permutations", 20, "--draws", 2]
    table = output(capsys, "report", *files, "-o", tmp_path / "r.html", *quick)
    assert "all domains" in table
    assert "<svg" in (tmp_path / "r.html").read_text("utf-8")
    found = json.loads(output(capsys, "report", *files, "-o", tmp_path / "r.md", *quick, "--json"))
    assert len(found["prediction"]["benchmarks"]) == 2
    assert (tmp_path / "r.md").read_text("utf-8").startswith("# ")


def test_refusals(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix, errors = files
    out = tmp_path / "s.parquet"
    assert "keep: expected keep or budget" in refusal(capsys, "project", matrix, errors, "-o", out)
    assert "cannot read" in refusal(capsys, "correlate", tmp_path / "none.parquet", errors)
    assert "estimator: expected one of" in refusal(capsys, "correlate", matrix, errors, "-e", "pearson")
    assert "missing: expected one of" in refusal(capsys, "correlate", matrix, errors, "--missing", "no")
    keep = ["--keep", 0.2]
    for group in ("first", "=first", "a=", "a/b=first"):
        assert "group: expected NAME=BENCHMARK" in refusal(
            capsys, "project", matrix, errors, "-o", out, *keep, "--group", group
        )
    assert "groups: 'a': expected some of first, other, got 'x'" in refusal(
        capsys, "project", matrix, errors, "-o", out, *keep, "--group", "a=x"
    )
    assert "path: expected a name ending in .html or .md" in refusal(
        capsys, "report", matrix, errors, "-o", tmp_path / "r.pdf", *keep
    )
    assert not out.exists()


def test_help_of_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("correlate", "project", "report"):
        shown = output(capsys, command, "--help")
        assert "Example" in shown
        assert all(len(line) <= 80 for line in shown.splitlines())
