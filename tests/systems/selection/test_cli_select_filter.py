"""``select filter train`` and ``apply``: tables, JSON, and one line for each mistake."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import webpages

from pyfastlm.cli import app as command_line
from pyfastlm.cli import select_filter
from pyfastlm.selection import PageFilter


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands alone, whatever group they are in."""
    original = command_line._app

    def with_filter() -> typer.Typer:
        found = original()
        found.add_typer(select_filter.group(), name="filter")
        return found

    monkeypatch.setattr(command_line, "COMMANDS", ())
    monkeypatch.setattr(command_line, "GROUPS", ())
    monkeypatch.setattr(command_line, "_app", with_filter)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "labels.json").write_text(json.dumps(webpages.LABELS))
    return {
        "pages": webpages.write(tmp_path / "pages.jsonl", webpages.rows(30)),
        "labels": tmp_path / "labels.json",
        "filter": tmp_path / "filter.json",
        "output": tmp_path / "taken.jsonl",
    }


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert command_line.run(["filter", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def train(capsys: pytest.CaptureFixture[str], files: dict[str, Path], *more: object) -> str:
    options = ("-l", files["labels"], "-o", files["filter"], "--kind", "hashed", "--buckets", 4096)
    return output(capsys, "train", files["pages"], *options, "--valid", 0.2, *more)


def test_train_and_apply(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(train(capsys, files, "--json"))
    opened = PageFilter.open(files["filter"])
    assert found["fingerprint"] == opened.fingerprint
    assert found["held_out_domains"]["f1"] == opened.report.held_out_domains.f1  # type: ignore[union-attr]
    assert len(found["by_domain"]) == 2
    table = train(capsys, files)
    for word in ("pages", "domains", "precision", "fan", "lab", "hashed", "learned from"):
        assert word in table
    options = (files["filter"], files["pages"], "-o", files["output"], "--budget", 5000)
    table = output(capsys, "apply", *options, "--domain-key", "domain")
    for word in ("5,000", "0 missing", "cut: ", "lab0.org", "300"):
        assert word in table
    again = json.loads(output(capsys, "apply", *options, "--domain-key", "domain", "--json"))
    assert (again["taken_tokens"], again["resumed"]) == (5000, 300)


def test_fasttext_is_the_default(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fasttext", reason="fastText is not installed (extra selection)")
    options = ("-l", files["labels"], "-o", files["filter"], "--buckets", 1000, "--epochs", 2, "--valid", 0.2)
    assert json.loads(output(capsys, "train", files["pages"], *options, "--json"))["kind"] == "fasttext"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "{pages}", "-l", "{labels}", "-o", "x.json", "--kind", "svm"), "kind: expected one of"),
        (("train", "{pages}", "-l", "none.json", "-o", "x.json"), "labels: cannot read"),
        (("train", "none.jsonl", "-l", "{labels}", "-o", "x.json"), "inputs: cannot read"),
        (("train", "{pages}", "-o", "x.json"), "labels"),
        (("apply", "{labels}", "{pages}", "-o", "x.jsonl", "--budget", 5), "is no filter"),
        (("apply", "{labels}", "{pages}", "-o", "x.jsonl"), "budget: expected budget or keep"),
    ],
)
def test_mistakes_take_one_line(
    arguments: tuple[Any, ...],
    message: str,
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(value).format(**files) for value in arguments]
    assert command_line.run(["filter", *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert message in err
    assert err.count("\n") == 1
