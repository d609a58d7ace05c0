"""``pyfastlm qac build`` and ``complete``: from files of counts to suggestions; and how each refuses."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyfastlm.cli.app import run
from pyfastlm.index import TermIndex

ROWS = [("coffee", 5), ("coffee maker", 3), ("Coffee", 2), ("kaffee", 9), ("café crème", 4)]
SUMS = {"coffee": 7.0, "coffee maker": 3.0, "kaffee": 9.0, "café crème": 4.0}


def tsv(rows: list[tuple[str, int]] = ROWS) -> bytes:
    return "".join(f"{count}\t{term}\n" for term, count in rows).encode()


def jsonl() -> bytes:
    return "".join(json.dumps({"term": term, "count": count}) + "\n" for term, count in ROWS).encode()


def parquet() -> bytes:
    table = pa.table(
        {"count": [count for _, count in ROWS], "x": [0] * 5, "term": [term for term, _ in ROWS]}
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    return file.getvalue()


FILES = {
    "c.tsv": tsv(),
    "c.TXT": b"\xef\xbb\xbf" + tsv().replace(b"\n", b"\r\n") + b"\n\n",
    "c.tsv.gz": gzip.compress(tsv()[:20]) + gzip.compress(tsv()[20:]),
    "c.jsonl": jsonl(),
    "c.ndjson.gz": gzip.compress(jsonl()),
    "c.parquet": parquet(),
}


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run(["qac", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on standard error with which a command refuses."""
    capsys.readouterr()
    assert run(["qac", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert err.count("\n") == 1
    return err


def all_of(index: Path) -> dict[str, float]:
    return dict(TermIndex.open(index).complete("", 100))


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_index(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    report = json.loads(output(capsys, "build", tmp_path / name, "-o", tmp_path / "i", "--json"))
    assert all_of(tmp_path / "i") == SUMS
    size = (tmp_path / "i").stat().st_size
    assert (report["rows"], report["terms"], report["bytes"]) == (5, 4, size)
    assert report["bytes_per_term"] == size / 4
    assert report["seconds"] > 0


def test_several_files_and_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tsv").write_bytes(tsv())
    (tmp_path / "b.jsonl").write_bytes(jsonl())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"0.5\ttea\n1e3\tkaffee")))
    table = output(capsys, "build", tmp_path / "a.tsv", tmp_path / "b.jsonl", "-", "-o", tmp_path / "i")
    assert all_of(tmp_path / "i") == {term: 2 * count for term, count in SUMS.items()} | {
        "tea": 0.5,
        "kaffee": 1018.0,
    }
    assert "rows" in table
    assert "12" in table


def test_options_of_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.tsv").write_bytes("".join(f"{term}\t{count}\n" for term, count in ROWS).encode())
    arguments = ["build", tmp_path / "c.tsv", "-o", tmp_path / "i", "--order", "term-count"]
    output(capsys, *arguments, "--normalizer", "none")
    assert all_of(tmp_path / "i") == dict(ROWS)
    output(capsys, *arguments, "--duplicates", "max")
    assert all_of(tmp_path / "i") == SUMS | {"coffee": 5.0}
    assert "comes twice" in refusal(capsys, *arguments, "--duplicates", "error")
    assert all_of(tmp_path / "i") == SUMS | {"coffee": 5.0}, "a failed build replaced the index"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.tsv", tsv() + b"coffee\n", "c.tsv, line 6: expected a count, a tab and a term, got 'coffee'"),
        ("c.tsv", b"1\ta\tb\n", "line 1: expected a count"),
        ("c.tsv", b"one\ta\n", "line 1: count: expected a number, got 'one'"),
        ("c.tsv", b"1_0\ta\n", "line 1: count: expected a number, got '1_0'"),
        ("c.tsv", b"\ta\n", "line 1: count: expected a number, got ''"),
        ("c.tsv", b"nan\ta\n", "line 1: count: expected a finite number"),
        ("c.tsv", b"1e999\ta\n", "line 1: count: expected a finite number"),
        ("c.tsv", b"1\t\n", "line 1: term: expected a string that is not empty"),
        ("c.tsv", b"1\ta\n2\tb\xff\n", "line 2: expected UTF-8, got byte 0xff"),
        ("c.tsv", b"1\t" + b"a" * (1 << 20), "line 1: expected at most 1048576 bytes"),
        ("c.tsv.gz", gzip.compress(tsv(), mtime=0)[:-9], "c.tsv.gz, after line"),
        ("c.tsv.gz", b"no gzip", "c.tsv.gz, after line 0"),
        ("c.jsonl", b'{"term": "a", "count": 1}\n{"term": "a"}\n', "line 2: count: expected a number"),
        ("c.jsonl", b'{"term": 3, "count": 1}\n', "line 1: term: expected a string"),
        ("c.jsonl", b'{"term": "a", "count": true}\n', "line 1: count: expected a number, got True"),
        ("c.jsonl", b'{"term": "a", "count": NaN}\n', "line 1: count: expected a finite number"),
        ("c.jsonl", b'{"term": "\\ud800", "count": 1}\n', "line 1: term: expected text"),
        ("c.jsonl", b"[1]\n", "line 1: expected an object"),
        ("c.jsonl", b"{\n", "line 1: invalid JSON"),
        ("c.jsonl", b"[" * 100_000 + b"\n", "line 1: invalid JSON"),
        ("c.jsonl", b'{"term": "a", "count": 1' + b"0" * 400 + b"}", "line 1: count: expected a finite"),
        ("c.parquet", b"PAR1 and no more", "c.parquet, after row 0"),
        ("c.csv", tsv(), "expected a name ending in .tsv"),
        ("c.parquet.gz", b"", "compressed twice"),
        ("c", tsv(), "expected a name ending in .tsv"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(
    name: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refusal(capsys, "build", tmp_path / name, "-o", tmp_path / "i")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"term": ["a", None], "count": [1, 2]}, "row 2: term: expected a string"),
        ({"term": ["a", "b"], "count": [1, None]}, "row 2: count: expected a number"),
        ({"term": ["a"], "n": [1]}, "no column 'count'"),
        ({"term": [1], "count": [1]}, "row 1: term: expected a string"),
    ],
)
def test_a_wrong_table_is_named(
    columns: dict[str, list[Any]], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "c.parquet")
    assert message in refusal(capsys, "build", tmp_path / "c.parquet", "-o", tmp_path / "i")


def test_a_row_of_a_table_that_is_not_utf_8_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = pa.array([b"ok", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"term": bad, "count": [1, 2]}), tmp_path / "c.parquet")
    assert "row 2: term: expected UTF-8" in refusal(
        capsys, "build", tmp_path / "c.parquet", "-o", tmp_path / "i"
    )


def test_other_refusals_of_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, index = tmp_path / "c.tsv", tmp_path / "i"
    file.write_bytes(tsv())
    assert "cannot read" in refusal(capsys, "build", tmp_path / "no.tsv", "-o", index)
    assert "order: expected" in refusal(capsys, "build", file, "-o", index, "--order", "x")
    assert "normalizer: expected" in refusal(capsys, "build", file, "-o", index, "--normalizer", "x")
    assert "duplicates: expected" in refusal(capsys, "build", file, "-o", index, "--duplicates", "x")
    assert "No such file" in refusal(capsys, "build", file, "-o", tmp_path / "no" / "i")
    assert "directory" in refusal(capsys, "build", file, "-o", tmp_path)


def answers(out: str) -> list[list[str]]:
    return [[one["term"] for one in answer["suggestions"]] for answer in json.loads(out)["answers"]]


def test_complete(index_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = output(capsys, "complete", index_path, "red", "reciept", "-k", 2, "--json")
    assert answers(out) == [["red", "red shoes"], ["receipt", "receipt book"]]
    first = json.loads(out)["answers"][1]["suggestions"][0]
    assert first == {"term": "receipt", "score": 900.0, "stage": "typo", "distance": 1}
    assert answers(output(capsys, "complete", index_path, "reciept", "--edits", "0", "--json")) == [[]]
    past = ["--past", "running shoes", "--past", "red wine"]
    assert answers(output(capsys, "complete", index_path, "red", "-k", 1, *past, "--json")) == [["red wine"]]
    table = output(capsys, "complete", index_path, "reciept", "-k", 1)
    assert all(text in table for text in ("'reciept'", "receipt", "900", "typo, 1 edit"))


def test_complete_reads_prefixes_from_standard_input(
    index_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "red \r\n日\n\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    out = output(capsys, "complete", index_path, "-k", 1, "--edits", "0", "--json")
    assert [answer["prefix"] for answer in json.loads(out)["answers"]] == ["red ", "日", ""]
    assert answers(out) == [["red shoes"], ["日本語"], ["receipt"]]


def test_refusals_of_complete(
    index_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "edits: expected" in refusal(capsys, "complete", index_path, "a", "--edits", "3")
    assert "-k" in refusal(capsys, "complete", index_path, "a", "-k", "0")
    assert "No such file" in refusal(capsys, "complete", tmp_path / "no", "a")
    assert "UTF-8" in refusal(capsys, "complete", index_path, "\udcff")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\n")))
    assert "standard input, line 2" in refusal(capsys, "complete", index_path, "--json")
    (tmp_path / "c.tsv").write_bytes(tsv())
    for command in ("complete", "serve"):
        assert "not a whole term index" in refusal(capsys, command, tmp_path / "c.tsv")


def test_terms_that_would_move_the_cursor_are_quoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TermIndex.build([("a\x1b[2Jb", 1.0)], tmp_path / "i")
    table = output(capsys, "complete", tmp_path / "i", "a")
    assert "\x1b[2J" not in table
    assert r"a\x1b[2Jb" in table
