"""``pyfastlm select bpb`` and ``select sample``: what they print, and how they refuse."""

import json
from collections.abc import Iterator
from pathlib import Path

import jobs
import pytest
import samples
import typer
from tiny import save_tiny_lm

from pyfastlm.cli import app as application
from pyfastlm.cli import select_bpb, select_sample
from pyfastlm.selection import bpb_matrix


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands of this file alone, run as the house runs all of them."""

    def group() -> typer.Typer:
        app = typer.Typer(rich_markup_mode=None)
        app.callback()(lambda: None)
        app.command("bpb")(select_bpb.command)
        app.command("sample")(select_sample.command)
        return app

    monkeypatch.setattr(application, "_app", group)
    with jobs.one_thread():
        yield


@pytest.fixture(scope="module")
def lms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lms")
    save_tiny_lm(folder / "lm")
    save_tiny_lm(folder / "other", seed=1)
    return folder


def test_bpb_as_a_table_and_as_json(lms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = samples.sample(20)
    source = samples.write(tmp_path / "in.jsonl", rows)
    source.write_bytes(source.read_bytes() + b'{"text": "x"}\n')
    listed = tmp_path / "models.txt"
    listed.write_text(f"{lms}/lm a\n{lms}/lm-not-there b\n{lms}/other c\n")
    arguments = ["bpb", str(source), "-m", str(listed), "-o", str(tmp_path / "out.parquet")]

    assert application.run([*arguments, "--missing", "drop_model", "--threads", "1"]) == 0

    out, err = capsys.readouterr()
    assert "left out: " in out
    assert "it cannot be loaded: InputError" in out
    assert "models: 2 of 3; domains: 5; documents: 20 of 21 rows (1 useless, 0 dropped)" in out
    assert f"missing scores: {tmp_path / 'out.missing.jsonl'}" in out
    assert f"report: {tmp_path / 'out.report.json'}" in out
    assert f"model 1 of 3: {lms}/lm" in err
    first = (tmp_path / "out.parquet").read_bytes()
    assert application.run([*arguments, "--missing", "drop_model", "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert [model["kept"] for model in report["models"]] == [True, False, True]
    assert report["models"][1]["bits_per_byte"] is None
    assert (tmp_path / "out.parquet").read_bytes() == first
    again = bpb_matrix([f"{lms}/lm"], source, tmp_path / "api.parquet", missing="drop_document")
    assert again.models[0].bits_per_byte == pytest.approx(report["models"][0]["bits_per_byte"], rel=1e-6)


def test_bpb_refuses(lms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write(tmp_path / "in.jsonl", samples.sample(9))
    (tmp_path / "models.txt").write_text(f"{lms}/lm\n")
    (tmp_path / "gone.txt").write_text(f"{lms}/gone\n")

    def refused(*changes: str, models: str = "models.txt") -> str:
        arguments = [str(source), "-m", str(tmp_path / models), "-o", str(tmp_path / "out.parquet"), *changes]
        assert application.run(["bpb", *arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1].startswith("pyfastlm: error: ")
        return lines[-1]

    assert "models: cannot read" in refused(models="none.txt")
    assert "it cannot be loaded" in refused(models="gone.txt")
    assert "missing: expected one of raise, drop_model" in refused("--missing", "ignore")
    assert "duplicates: expected one of raise, family" in refused("--duplicates", "both")
    assert "max_length: expected at most the model's context" in refused("--max-length", "9999")
    assert "no key 'site'" in refused("--domain-key", "site")
    assert not (tmp_path / "out.parquet").exists()


def test_sample(lms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write(tmp_path / "in.jsonl", [*samples.sample(40, 4), ("small", "one page")])
    source.write_bytes(source.read_bytes() + b'{"text": "x"}\n')
    output = tmp_path / "out.jsonl.zst"
    arguments = ["sample", str(source), "-o", str(output), "--pages", "5", "--chunk", "16"]
    assert application.run([*arguments, "--tokenizer", str(lms / "lm")]) == 0
    out = capsys.readouterr().out
    assert "rows: 42, of which 1 have no text or no domain" in out
    assert f"first of these: {source}, row 42: 'domain' is missing or null" in out
    assert application.run([*arguments, "--tokenizer", str(lms / "lm"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["domains"], report["small_domains"], report["pages"]) == (4, 1, 20)
    assert report["chunks"] > 20
    assert report["tokens"] > 0
    assert application.run(["sample", str(source), "-o", str(output), "--pages", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pages"] == 41
    assert application.run(["sample", str(source), "-o", str(output), "--pages", "99"]) == 2
    assert "pages: no domain has 99 different pages" in capsys.readouterr().err


def test_help_has_an_example() -> None:
    for name, command in {"bpb": select_bpb.command, "sample": select_sample.command}.items():
        assert f"pyfastlm select {name} " in (command.__doc__ or "")
