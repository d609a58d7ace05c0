"""Bulk scoring: every format gives the same rows, in input order, equal to the scorer's own answers."""

import gzip
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyfastlm.errors import InputError
from pyfastlm.lm.files import Progress, score_files
from pyfastlm.lm.files import plan as planning
from pyfastlm.lm.files.readers import Row

COLUMNS = {
    "source": pa.string(),
    "row": pa.int64(),
    "id": pa.string(),
    "logp": pa.float64(),
    "n_tokens": pa.int64(),
    "n_bytes": pa.int64(),
    "n_windows": pa.int64(),
    "bits_per_byte": pa.float64(),
    "fingerprint": pa.string(),
}
SCORES = ("logp", "n_tokens", "n_bytes", "n_windows", "bits_per_byte")


@pytest.fixture
def scorer(tiny_lm_dir: Path) -> Iterator[Any]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


def expect_equal(found: list[dict[str, Any]], texts: list[str], scorer: Any) -> None:
    """Each row has the scores that the scorer gives to its text alone, whatever it was batched with."""
    assert len(found) == len(texts)
    for row, text in zip(found, texts, strict=True):
        (alone,) = scorer.rolling([text])
        assert (row["n_tokens"], row["n_bytes"], row["n_windows"]) == (
            alone.n_tokens,
            len(text.encode()),
            alone.n_windows,
        )
        assert row["logp"] == pytest.approx(alone.logp, rel=1e-6, abs=1e-4)
        assert row["bits_per_byte"] == pytest.approx(-row["logp"] / math.log(2) / row["n_bytes"], rel=1e-12)


@pytest.mark.parametrize("suffix", jobs.SUFFIXES)
def test_round_trip_of_every_format(suffix: str, scorer: Any, tmp_path: Path) -> None:
    texts = jobs.documents(25)
    source = jobs.write(tmp_path / f"in{suffix}", texts)
    output = tmp_path / "out.parquet"

    report = score_files(scorer, source, output)

    found = jobs.rows(output)
    expect_equal(found, texts, scorer)
    assert [row["row"] for row in found] == list(range(1, 26))
    assert {row["source"] for row in found} == {str(source)}
    ids = [None] * 25 if ".txt" in suffix else [str(i) for i in range(25)]
    assert [row["id"] for row in found] == ids
    assert {row["fingerprint"] for row in found} == {scorer.fingerprint} == {report.fingerprint}
    assert (report.documents, report.rejected, report.rejects) == (25, 0, None)
    assert jobs.left_behind(tmp_path, source, output) == []


def test_schema_and_compression(scorer: Any, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    score_files(scorer, jobs.write(tmp_path / "in.jsonl", jobs.documents(3)), output)
    with pq.ParquetFile(output) as file:
        schema = file.schema_arrow
        assert dict(zip(schema.names, schema.types, strict=True)) == COLUMNS
        assert file.metadata.row_group(0).column(3).compression == "ZSTD"
        noted = json.loads(schema.metadata[b"pyfastlm.score"])
    assert noted["description"]["fingerprint"] == scorer.fingerprint
    assert noted["description"]["text_key"] == "text"


def test_totals_are_sums_over_documents(scorer: Any, tmp_path: Path) -> None:
    sources = [jobs.write(tmp_path / f"{i}.jsonl", jobs.documents(20, seed=i)) for i in range(3)]
    report = score_files(scorer, sources, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for part in (*report.sources, report):
        mine = [row for row in table if part is report or row["source"] == part.source]
        assert part.documents == len(mine)
        assert part.tokens == sum(row["n_tokens"] for row in mine)
        assert part.bytes == sum(row["n_bytes"] for row in mine)
        assert part.logp == pytest.approx(math.fsum(row["logp"] for row in mine), rel=1e-12)
        assert part.bits_per_byte == pytest.approx(-part.logp / math.log(2) / part.bytes, rel=1e-12)
    assert [part.source for part in report.sources] == [str(source) for source in sources]
    assert report.seconds > 0
    assert report.tokens_per_second == pytest.approx(report.tokens / report.seconds)
    assert report.resumed_documents == 0


def test_order_of_inputs_and_globs(scorer: Any, tmp_path: Path) -> None:
    texts = {name: jobs.documents(9, seed=seed) for seed, name in enumerate("bca")}
    for name, mine in texts.items():
        jobs.write(tmp_path / f"{name}.jsonl", mine)
    jobs.write(tmp_path / "z.txt.gz", ["last", "but", "first"])
    literal = jobs.write(tmp_path / "weird[1]*.jsonl", ["a name that looks like a pattern"])
    output = tmp_path / "out.parquet"

    score_files(scorer, [tmp_path / "z.txt.gz", str(tmp_path / "?.jsonl"), literal], output)

    found = jobs.rows(output)
    wanted = [
        "last",
        "but",
        "first",
        *texts["a"],
        *texts["b"],
        *texts["c"],
        "a name that looks like a pattern",
    ]
    expect_equal(found, wanted, scorer)
    names = ["z.txt.gz", "a.jsonl", "b.jsonl", "c.jsonl", "weird[1]*.jsonl"]
    assert list(dict.fromkeys(Path(row["source"]).name for row in found)) == names


def test_many_parts_keep_the_order(scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PART_ROWS", 5)
    monkeypatch.setattr("pyfastlm.lm.files.table.ROW_GROUP_ROWS", 17)
    texts = jobs.documents(120)
    source = jobs.write(tmp_path / "in.jsonl", texts)
    score_files(scorer, source, tmp_path / "out.parquet")
    found = jobs.rows(tmp_path / "out.parquet")
    assert [row["row"] for row in found] == list(range(1, 121))
    expect_equal(found, texts, scorer)
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups > 3


def test_parts_are_bounded_and_depend_on_rows_alone() -> None:
    stream = [Row(0, i, None, "x" * (i * 37 % 101 + 1), i * 37 % 101 + 1, None) for i in range(20_000)]
    stream += [Row(1, i, None, None, 0, "empty text") for i in range(5_000)]
    grouped = [*planning.parts(iter(stream), 16)]
    assert grouped == [*planning.parts(stream, 16)]
    assert [row for part in grouped for row in part.rows] == stream
    assert [part.number for part in grouped] == [*range(len(grouped))]
    sizes = [sum(row.n_bytes for row in part.rows) for part in grouped]
    assert max(sizes) < 16 * planning.PART_BYTES_PER_TOKEN + 101
    assert max(len(part.rows) for part in grouped) == planning.PART_ROWS


@pytest.mark.parametrize("change", [{"text": "other"}, {"id": "other"}, {"row": 9}, {"source": 1}])
def test_key_covers_all_that_reaches_the_table(change: dict[str, Any]) -> None:
    def key(row: Row) -> str:
        return planning.Part(0, [row]).key()

    row = Row(0, 1, None, "text", 4, None)
    assert key(row._replace(**change)) != key(row)
    assert key(Row(0, 1, None, None, 0, "text")) != key(row)
    # The same characters in other fields are another row.
    assert key(Row(0, 1, "ab", "c", 1, None)) != key(Row(0, 1, "a", "bc", 2, None))


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()],
    ids=str,
)
def test_parquet_string_types(kind: pa.DataType, scorer: Any, tmp_path: Path) -> None:
    texts = ["one", "two", "three", "one"]
    pq.write_table(pa.table({"body": pa.array(texts).cast(kind)}), tmp_path / "in.parquet")
    score_files(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet", text_key="body")
    expect_equal(jobs.rows(tmp_path / "out.parquet"), texts, scorer)


def test_ids_come_as_text(scorer: Any, tmp_path: Path) -> None:
    lines = [
        '{"id": "s", "text": "a"}',
        '{"id": 7, "text": "a"}',
        '{"id": [1], "text": "a"}',
        '{"text": "a"}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, '{"id": "\\ud800", "text": "a"}']))
    score_files(scorer, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert [row["id"] for row in jobs.rows(tmp_path / "out.parquet")] == ["s", "7", "[1]", None, "\\ud800"]


def test_line_ends_and_byte_order_marks(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\xe2\x80\xa8still two\n three \nno end")
    score_files(scorer, tmp_path / "in.txt", tmp_path / "out.parquet")
    expect_equal(
        jobs.rows(tmp_path / "out.parquet"), ["one", "two\u2028still two", " three ", "no end"], scorer
    )


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_files_of_several_compressed_frames(suffix: str, scorer: Any, tmp_path: Path) -> None:
    texts = jobs.documents(20)
    data = jobs.jsonl(texts)
    cut = len(data) // 2
    source = tmp_path / f"in.jsonl{suffix}"
    source.write_bytes(jobs.compressed(data[:cut], suffix) + jobs.compressed(data[cut:], suffix))
    score_files(scorer, source, tmp_path / "out.parquet")
    expect_equal(jobs.rows(tmp_path / "out.parquet"), texts, scorer)


def test_empty_inputs_give_an_empty_table(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").touch()
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    report = score_files(scorer, [tmp_path / "in.jsonl", tmp_path / "in.parquet"], tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
    assert (report.documents, report.rejected, report.bytes) == (0, 0, 0)
    assert math.isnan(report.bits_per_byte)


def test_progress_callback_sees_every_part(scorer: Any, tmp_path: Path) -> None:
    source = jobs.write(tmp_path / "in.jsonl", jobs.documents(80))
    seen: list[Progress] = []
    score_files(scorer, source, tmp_path / "out.parquet", progress=seen.append)
    assert len(seen) > 3
    assert [p.documents for p in seen] == sorted(p.documents for p in seen)
    assert [p.bytes_done for p in seen] == sorted(p.bytes_done for p in seen)
    assert (seen[-1].documents, seen[-1].bytes_done, seen[-1].seconds_left) == (80, source.stat().st_size, 0)
    assert seen[-1].bytes_total == source.stat().st_size
    assert all(p.tokens_per_second > 0 for p in seen)


def test_progress_without_a_terminal_stays_off_standard_output(
    scorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyfastlm.lm.files.progress.LINE_SECONDS", 0.0)
    score_files(
        scorer, jobs.write(tmp_path / "in.jsonl", jobs.documents(50)), tmp_path / "out.parquet", progress=True
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert "100.0% 50 documents" in err.splitlines()[-1]
    assert "tokens/s" in err


def test_bar_on_a_terminal(scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "200")
    score_files(
        scorer, jobs.write(tmp_path / "in.jsonl", jobs.documents(50)), tmp_path / "out.parquet", progress=True
    )
    assert "50 documents" in screen.getvalue()
    assert "100%" in screen.getvalue()


def test_standard_input(scorer: Any, tmp_path: Path) -> None:
    texts = jobs.documents(12)
    with jobs.standard_input(jobs.jsonl(texts)):
        report = score_files(scorer, "-", tmp_path / "out.parquet")
        assert os.read(0, 1) == b""  # read to its end, and still open
    assert report.documents == 12
    found = jobs.rows(tmp_path / "out.parquet")
    assert {row["source"] for row in found} == {"-"}
    expect_equal(found, texts, scorer)


def test_a_named_pipe_is_read_once(scorer: Any, tmp_path: Path) -> None:
    texts = jobs.documents(12)
    pipe = tmp_path / "in.jsonl.gz"
    os.mkfifo(pipe)
    writer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())",
            str(pipe),
        ],
        stdin=subprocess.PIPE,
    )
    assert writer.stdin is not None
    writer.stdin.write(gzip.compress(jobs.jsonl(texts)))
    writer.stdin.close()
    score_files(scorer, pipe, tmp_path / "out.parquet")
    assert writer.wait(30) == 0
    expect_equal(jobs.rows(tmp_path / "out.parquet"), texts, scorer)


def test_output_through_a_symbolic_link(scorer: Any, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.parquet").symlink_to(tmp_path / "disk" / "real.parquet")
    score_files(scorer, jobs.write(tmp_path / "in.txt", ["a"]), tmp_path / "out.parquet")
    assert (tmp_path / "out.parquet").is_symlink()
    assert len(jobs.rows(tmp_path / "disk" / "real.parquet")) == 1


def test_method_of_the_scorer(scorer: Any, tmp_path: Path) -> None:
    source = jobs.write(tmp_path / "in.txt", ["one", "two"])
    report = scorer.score_files(source, tmp_path / "out.parquet", text_key="text", resume=True)
    assert report.documents == 2
    with pytest.raises(InputError, match="no file matches"):
        scorer.score_files(str(tmp_path / "*.nothing"), tmp_path / "out.parquet")
