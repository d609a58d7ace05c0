"""Rows that cannot be scored: each is listed with its place and reason, and none stops the job."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines, readers, score_files

BAD_LINES = [
    (b'{"text": "caf\xe9"}', "not UTF-8: invalid continuation byte at byte 13"),
    (b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
    (b'{"text": "cut', "invalid JSON: Unterminated string"),
    (b"{'text': 'single quotes'}", "invalid JSON: Expecting property name"),
    (b'{"text": "a"} {"text": "b"}', "invalid JSON: Extra data"),
    (b'{"body": "a"}', "no key 'text'"),
    (b'{"text": 1}', "'text' is a number, expected a string"),
    (b'{"text": null}', "'text' is null, expected a string"),
    (b'{"text": true}', "'text' is a boolean, expected a string"),
    (b'{"text": ["a"]}', "'text' is an array, expected a string"),
    (b'{"text": {"a": 1}}', "'text' is an object, expected a string"),
    (b'["text"]', "expected a JSON object, got an array"),
    (b'"text"', "expected a JSON object, got a string"),
    (b'{"text": ""}', "empty text"),
    (rb'{"text": "ab\ud800"}', "lone surrogate at character 2"),
    (b"", "blank line"),
    (b"   ", "blank line"),
    (b"[" * 100_000, "invalid JSON: nested too deeply"),
    (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "invalid JSON: a number has too many digits"),
]


@pytest.fixture
def scorer(tiny_lm_dir: Path) -> Iterator[Any]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


def test_every_reason_and_place(scorer: Any, tmp_path: Path) -> None:
    good = b'{"text": "good"}\n'
    (tmp_path / "in.jsonl").write_bytes(b"".join(good + line + b"\n" for line, _ in BAD_LINES) + good)

    report = score_files(scorer, tmp_path / "in.jsonl", tmp_path / "out.parquet")

    listed = jobs.rejects(tmp_path / "out.parquet")
    assert [entry["row"] for entry in listed] == [2 * i + 2 for i in range(len(BAD_LINES))]
    for entry, (line, reason) in zip(listed, BAD_LINES, strict=True):
        assert entry["reason"].startswith(reason), line
        assert entry["source"] == str(tmp_path / "in.jsonl")
    assert report.rejected == len(BAD_LINES) == report.sources[0].rejected
    assert report.rejects == tmp_path / "out.rejected.jsonl"
    rows = jobs.rows(tmp_path / "out.parquet")
    assert [row["row"] for row in rows] == [2 * i + 1 for i in range(len(BAD_LINES) + 1)]


def test_surrogate_pairs_and_whitespace_are_texts(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "\\ud83d\\ude00"}\n{"text": " "}\n{"text": "\\u0000"}\n')
    report = score_files(scorer, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert (report.documents, report.rejected, report.bytes) == (3, 0, 4 + 1 + 1)


def test_plain_text_rejects(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"one\n\n\xff\xfe\n\r\ntwo\n")
    score_files(scorer, tmp_path / "in.txt", tmp_path / "out.parquet")
    listed = [(entry["row"], entry["reason"]) for entry in jobs.rejects(tmp_path / "out.parquet")]
    assert listed == [(2, "empty text"), (3, "not UTF-8: invalid start byte at byte 0"), (4, "empty text")]
    assert [row["row"] for row in jobs.rows(tmp_path / "out.parquet")] == [1, 5]


def test_parquet_rejects_one_bad_string_alone(scorer: Any, tmp_path: Path) -> None:
    column = pa.array([b"good", b"\xff bad", None, b"", b"fine"], pa.binary())
    as_text = pa.Array.from_buffers(
        pa.string(), 5, column.buffers()
    )  # a string column that breaks its promise
    names = pa.Array.from_buffers(pa.string(), 5, pa.array([b"a", b"b", b"c", b"d", b"\xff"]).buffers())
    pq.write_table(pa.table({"text": as_text, "id": names}), tmp_path / "in.parquet")
    score_files(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet")
    listed = [
        (entry["row"], entry["id"], entry["reason"]) for entry in jobs.rejects(tmp_path / "out.parquet")
    ]
    assert listed == [
        (2, "b", "not UTF-8: invalid start byte at byte 0"),
        (3, "c", "'text' is null, expected a string"),
        (4, "d", "empty text"),
    ]
    assert [row["id"] for row in jobs.rows(tmp_path / "out.parquet")] == ["a", "\\xff"]


def test_a_file_of_rejects_alone(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\n" * 3000)
    report = score_files(scorer, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert (report.documents, report.rejected) == (0, 3000)
    assert len(jobs.rejects(tmp_path / "out.parquet")) == 3000
    assert jobs.rows(tmp_path / "out.parquet") == []


def test_a_line_without_end_is_skipped_in_pieces(
    scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_ROW_BYTES", 1 << 20)
    limit = 1 << 20
    rows = [b"a" * limit, b"b" * (limit + 1), b"c" * (3 * limit + 7), b"d", b"e" * (2 * limit)]
    (tmp_path / "in.txt").write_bytes(b"\n".join(rows))
    found = list(readers.Reader(_resolved(tmp_path / "in.txt"), "text"))
    assert [(row.row, row.n_bytes, row.reason) for row in found] == [
        (1, limit, None),
        (2, 0, "longer than 1 MiB"),
        (3, 0, "longer than 1 MiB"),
        (4, 1, None),
        (5, 0, "longer than 1 MiB"),
    ]


def test_an_older_list_of_rejects_goes_when_there_are_none(scorer: Any, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_bytes(b'{"text": "a"}\n\n')
    score_files(scorer, source, output)
    assert len(jobs.rejects(output)) == 1
    source.write_bytes(b'{"text": "a"}\n')
    report = score_files(scorer, source, output, resume=False)
    assert report.rejects is None
    assert jobs.left_behind(tmp_path, source, output) == []


def test_a_wrong_column_is_an_error_not_a_million_rejects(scorer: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["a"], "n": [1]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match=r"text_key: .* has no column 'text'; its columns are: body, n"):
        score_files(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet")
    with pytest.raises(InputError, match="text_key: expected a column of strings, got int64"):
        score_files(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet", text_key="n")
    assert jobs.left_behind(tmp_path, tmp_path / "in.parquet") == []


def test_rejects_are_valid_json_lines(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b'{"id": "\\u2028\\"", "text": ""}\n')
    score_files(scorer, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    (line,) = (tmp_path / "out.rejected.jsonl").read_bytes().split(b"\n")[:-1]
    assert json.loads(line)["id"] == '\u2028"'


def _resolved(path: Path) -> Any:
    from pyfastlm.lm.files.inputs import resolve

    return resolve(path)
