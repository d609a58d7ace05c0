"""``pyfastlm spell``: from a catalogue to corrections; and how each command refuses."""

import io
import json
import sys
from pathlib import Path

import pytest

from pyfastlm.cli.app import run
from pyfastlm.index import TermIndex
from pyfastlm.spelling import misspell, read_odds

CATALOGUE = "Wireless Headphones\t50\ncoffee maker\t30\nheadset\t9\nnotebook\nnotebook\t4\niphone 13\t8\n"
PAIRS = (
    "wirless headphones\tWireless Headphones\tkb\nnote book\tnotebook\tsp\nxqzvw\theadset\tkb\n"
    "coffee maker\tcoffee maker\n"
)


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["spell", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error with which a command refuses."""
    capsys.readouterr()
    assert run(["spell", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "names.tsv").write_text(CATALOGUE)
    output(capsys, "build", tmp_path / "names.tsv", tmp_path / "names.index")
    return tmp_path / "names.index"


def stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_build(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built = TermIndex.open(index)
    assert built.has_similar
    assert built.normalizer == "nfkc_casefold"
    assert built.score("NOTEBOOK") == 5.0
    assert built.score("wireless headphones") == 50.0
    (tmp_path / "counts.txt").write_text("the 100\nof the 7\n")
    arguments = ["build", tmp_path / "counts.txt", tmp_path / "i"]
    assert "format=" in refusal(capsys, *arguments)
    report = json.loads(output(capsys, *arguments, "--format", "counts", "--json"))
    assert report["index"]["terms"] == 2
    assert report["index"]["bytes"] == (tmp_path / "i").stat().st_size
    assert TermIndex.open(tmp_path / "i").score("of the") == 7.0


def test_build_with_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("symspellpy")
    (tmp_path / "names.tsv").write_text(CATALOGUE)
    table = output(capsys, "build", tmp_path / "names.tsv", tmp_path / "i", "--english", tmp_path / "e")
    assert "82,834" in table
    fixed = ["fix", tmp_path / "i", "recieve headset", "--json"]
    (alone,) = json.loads(output(capsys, *fixed))["corrections"]
    (both,) = json.loads(output(capsys, *fixed, "--english", tmp_path / "e"))["corrections"]
    assert (alone["text"], both["text"]) == ("recieve headset", "receive headset")
    same = refusal(capsys, "build", tmp_path / "names.tsv", tmp_path / "i", "--english", tmp_path / "i")
    assert "english: expected another file" in same


def test_fix_arguments(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = output(capsys, "fix", index, "wirless hedphones", "note book", "a\tb", "zyrkon")
    assert "2 of 4 changed" in table
    assert "wireless headphones" in table
    assert "'a\\tb'" in table
    found = json.loads(output(capsys, "fix", index, "wirless hedphones", "zyrkon", "--json"))
    assert found["threshold"] == -0.5
    first, second = found["corrections"]
    assert (first["query"], first["text"], first["changed"]) == (
        "wirless hedphones",
        "wireless headphones",
        True,
    )
    assert first["margin"] > -0.5
    assert first["candidates"][0]["text"] == "wireless headphones"
    assert (second["text"], second["changed"], second["margin"]) == ("zyrkon", False, None)


def test_fix_lines(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"wirless headphones\r\n\nnotbook"
    for arguments in (["fix", index, "--json"], ["fix", index, "-", "--json"]):
        stdin(monkeypatch, lines)
        found = json.loads(output(capsys, *arguments))["corrections"]
        assert [one["text"] for one in found] == ["wireless headphones", "", "notebook"]
    (tmp_path / "queries.txt").write_bytes(lines)
    found = json.loads(output(capsys, "fix", index, "--input", tmp_path / "queries.txt", "--json"))
    assert [one["text"] for one in found["corrections"]] == ["wireless headphones", "notebook"]
    stdin(monkeypatch, b"ok\n\xff\n")
    assert "standard input, line 2: expected UTF-8" in refusal(capsys, "fix", index)
    assert "got both" in refusal(capsys, "fix", index, "x", "--input", tmp_path / "queries.txt")
    assert "cannot read" in refusal(capsys, "fix", index, "--input", tmp_path / "none")


def test_options_of_fix(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def text(*options: object) -> str:
        found = json.loads(output(capsys, "fix", index, "notbook", "--json", *options))
        return str(found["corrections"][0]["text"])

    assert text() == "notebook"
    assert text("--threshold", 30) == "notbook"
    assert text("--exclude", "Notbook") == "notbook"
    assert text("--threads", 1) == "notebook"
    assert "threshold: expected a finite number" in refusal(capsys, "fix", index, "x", "--threshold", "nan")


def test_fix_refuses(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in refusal(capsys, "fix", tmp_path / "none", "x")
    TermIndex.build([("a", 1.0)], tmp_path / "plain")
    assert "similar=True" in refusal(capsys, "fix", tmp_path / "plain", "x")
    assert "english: " in refusal(capsys, "fix", index, "x", "--english", tmp_path / "plain")
    assert "is no JSON" in refusal(capsys, "fix", index, "x", "--odds", tmp_path / "names.tsv")
    assert "lone surrogate" in refusal(capsys, "fix", index, "\udcff")
    assert "whole term index" in refusal(capsys, "fix", tmp_path / "names.tsv", "x")


def test_eval(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "clean.txt").write_text("iphone 13\nHeadset\n")
    (tmp_path / "new.txt").write_text("hedset\nzyrkon\nvolta\nnotebo0k\n")
    arguments = ["eval", index, tmp_path / "pairs.tsv"]
    everything = [*arguments, "--clean", tmp_path / "clean.txt", "--novel", tmp_path / "new.txt"]
    found = json.loads(output(capsys, *everything, "--json"))
    report, nothing = found["reports"]["speller"], found["reports"]["do nothing"]
    assert (report["n"], report["n_clean"], report["n_novel"]) == (3, 3, 4)
    assert report["recall"] == pytest.approx(2 / 3)  # in the form of the index
    assert (report["false_correction_rate"], report["novel_false_correction_rate"]) == (0.0, 0.25)
    assert (nothing["recall"], nothing["precision"]) == (0.0, None)
    assert [point["rate"] for point in found["curve"]] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert all(point["recall"] <= 2 / 3 for point in found["curve"])
    table = output(capsys, *everything)
    for text in ("3 misspelt, 3 right, 4 new", "do nothing", "of the new queries", "66.7%", "sp", "kb"):
        assert text in " ".join(table.split())
    assert "of the clean queries" in " ".join(output(capsys, *arguments).split())
    assert "format: " in refusal(capsys, *arguments, "--format", "xml")
    assert "cannot read" in refusal(capsys, *arguments, "--novel", tmp_path / "none")
    (tmp_path / "pairs.tsv").write_text("lamp\tlamp\n")
    assert "needs a change" in refusal(capsys, *arguments)
    (tmp_path / "pairs.tsv").write_text("lmap\tlamp\n")
    assert json.loads(output(capsys, *arguments, "--json"))["curve"] == []


def test_train_fix_and_eval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    things = ("lamp", "kettle", "drill", "chair", "table")
    brands = ("acme", "zyrkon", "volta", "bermo", "kelvar", "dorita", "pelumo", "gastin", "mirano", "tesoro")
    names = [f"{brand}{end} {thing}" for brand in brands for end in ("", "x", "li", "ra") for thing in things]
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in names))
    odds = tmp_path / "odds.json"
    train = ["train", tmp_path / "names.txt", odds, "--rate", 0.2, "--held-out", 0.5]
    found = json.loads(output(capsys, *train, "--json"))
    saved = read_odds(odds)
    assert found["threshold"] == saved.threshold
    assert found["report"]["n_novel"] == found["default"]["n_novel"] > 10
    before = odds.read_bytes()
    table = output(capsys, *train)
    assert odds.read_bytes() == before
    for text in ("odds of it", "of English", "new names changed", "threshold"):
        assert text in table
    output(capsys, "build", tmp_path / "names.txt", tmp_path / "i")
    fixed = json.loads(output(capsys, "fix", tmp_path / "i", "zyrkno kettle", "--odds", odds, "--json"))
    assert fixed["threshold"] == saved.threshold
    pairs = "".join(f"{pair.noisy}\t{pair.gold}\t{pair.kind}\n" for pair in misspell(names[:20]))
    (tmp_path / "pairs.tsv").write_text(pairs)
    arguments = ["eval", tmp_path / "i", tmp_path / "pairs.tsv", "--odds", odds, "--json"]
    assert json.loads(output(capsys, *arguments))["threshold"] == saved.threshold
    assert json.loads(output(capsys, *arguments, "--threshold", 1))["threshold"] == 1.0


def test_train_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    (tmp_path / "names.txt").write_text("lamp\nkettle\n")
    train = ["train", tmp_path / "names.txt", tmp_path / "odds.json"]
    assert "names: expected enough" in refusal(capsys, *train)
    assert "rate: expected a number between 0 and 1" in refusal(capsys, *train, "--rate", 2)
    assert "format: expected tab or counts" in refusal(capsys, *train, "--format", "csv")
    assert "cannot read" in refusal(capsys, "train", tmp_path / "none", tmp_path / "odds.json")
    assert not (tmp_path / "odds.json").exists()


@pytest.mark.parametrize("command", ["build", "fix", "eval", "train", "serve"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"pyfastlm spell {command} " in output(capsys, command, "--help").partition("Example:")[2]
