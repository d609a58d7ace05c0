"""Hostile and broken surroundings: always a result or one clear line, never half a file."""

import contextlib
import errno
import io
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pyfastlm.errors import InputError
from pyfastlm.lm.files import score_files

NOBODY = 65534

HOSTILE = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def scorer(tiny_lm_dir: Path) -> Iterator[Any]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


def outcome(scorer: Any, source: Path) -> InputError | None:
    """Run the job: None for a complete table that accounts for every row, or the error, one clear line."""
    output = source.with_name("out.parquet")
    report, refusal = None, None
    try:
        report = score_files(scorer, source, output)
    except InputError as error:
        refusal = error
    if report is None:
        assert "\n" not in str(refusal)
        assert str(source) in str(refusal)
        assert not output.exists()
        assert not output.with_name("out.rejected.jsonl").exists()
    else:
        assert len(jobs.rows(output)) == report.documents
        assert len(jobs.rejects(output)) == report.rejected
        places = [row["row"] for row in jobs.rows(output)] + [row["row"] for row in jobs.rejects(output)]
        assert sorted(places) == list(range(1, report.documents + report.rejected + 1))
    sweep(source, refusal)
    return refusal


def sweep(source: Path, error: InputError | None) -> None:
    """Clean up for the next example; only saved parts may be left, and only by a job that failed."""
    for name in jobs.left_behind(source.parent, source):
        path = source.with_name(name)
        if path.is_dir():
            assert error is not None
            assert name == "out.parquet.parts"
            assert all(part.suffix in (".part", ".json") for part in path.iterdir())
            for part in path.iterdir():
                part.unlink()
            path.rmdir()
        else:
            assert error is None
            assert name in ("out.parquet", "out.rejected.jsonl")
            path.unlink()


LINE = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: json.dumps({"text": text}).encode()),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: json.dumps({"id": value, "text": value}).encode()),
    st.sampled_from(
        [b'{"text": "\\ud800"}', b'{"text": "a", "text": 1}', b"\x00", b"\xef\xbb\xbf", b"\r", b"NaN"]
    ),
)


@HOSTILE
@given(lines=st.lists(LINE, max_size=12), suffix=st.sampled_from([".jsonl", ".txt"]))
def test_any_lines(lines: list[bytes], suffix: str, scorer: Any, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    source.write_bytes(b"\n".join(lines))
    assert outcome(scorer, source) is None
    source.unlink()


WHOLE = {
    suffix: jobs.compressed(jobs.jsonl(jobs.documents(40)), suffix) for suffix in (".jsonl.gz", ".jsonl.zst")
}


@HOSTILE
@given(suffix=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1, exclude_max=True))
@example(suffix=".jsonl.gz", share=0.0)
@example(suffix=".jsonl.zst", share=0.0)
def test_compressed_files_cut_anywhere(suffix: str, share: float, scorer: Any, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    source.write_bytes(WHOLE[suffix][: int(share * len(WHOLE[suffix]))])
    error = outcome(scorer, source)
    assert error is not None
    assert "truncated or damaged" in str(error)
    source.unlink()


@HOSTILE
@given(
    suffix=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    ),
)
def test_compressed_files_changed_anywhere(
    suffix: str, changes: list[tuple[float, int]], scorer: Any, tmp_path: Path
) -> None:
    data = bytearray(WHOLE[suffix])
    for place, value in changes:
        data[int(place * len(data))] = value
    source = tmp_path / f"in{suffix}"
    source.write_bytes(data)
    outcome(scorer, source)
    source.unlink()


def parquet(compression: str) -> bytes:
    texts = jobs.documents(60)
    sink = io.BytesIO()
    table = pa.table({"id": list(range(60)), "text": texts, "other": [1.5] * 60})
    pq.write_table(table, sink, row_group_size=25, compression=compression, write_page_checksum=True)
    return sink.getvalue()


PARQUET = [parquet(compression) for compression in ("zstd", "none")]


@HOSTILE
@given(
    data=st.sampled_from(PARQUET),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_parquet_cut_and_changed(
    data: bytes, cut: float, changes: list[tuple[float, int]], scorer: Any, tmp_path: Path
) -> None:
    mutated = bytearray(data)
    for place, value in changes:
        mutated[int(place * len(data))] = value
    source = tmp_path / "in.parquet"
    source.write_bytes(mutated[: int(cut * len(data))])
    error = outcome(scorer, source)
    if cut < 1:
        assert error is not None
    source.unlink()


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_truncated_file_is_named_with_the_place(
    suffix: str, scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyfastlm.lm.files.lines.BUFFER_BYTES", 512)
    noise = random.Random(0)  # or all lines would fit into one compressed block
    lines = [json.dumps({"text": "short", "page": noise.randbytes(800).hex()}) for _ in range(300)]
    source = tmp_path / f"in{suffix}"
    source.write_bytes(jobs.compressed("\n".join(lines).encode(), suffix))
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputError,
        match=rf"^inputs: '.*in{suffix}' is truncated or damaged (gzip|zstd) after line [1-9][\d,]* "
        rf"\(byte [\d,]+ of {len(whole) // 2:,}\): Truncated compressed stream; restore the file and run",
    ):
        score_files(scorer, source, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("inputs", "pattern"),
    [
        ([], "expected at least one file, got none"),
        ("", "expected a path, got ''"),
        ("nothing.jsonl", "cannot read '.*nothing.jsonl': No such file or directory"),
        ("*.jsonl", r"no file matches '.*\*.jsonl'"),
        ("folder", r"expected files, got the directory '.*folder'; give e.g. .*folder/\*.jsonl"),
        ("folder/*", "expected files, got the directory '.*inner'"),
        ("in.csv", r"expected a name ending in .jsonl, .* got '.*in.csv'"),
        ("in.parquet.gz", "expected a name ending in"),
        ("in.txt/x.jsonl", "cannot read '.*in.txt/x.jsonl': Not a directory"),
        (["in.txt", "link.txt"], "expected each file once, got '.*link.txt' twice"),
        ([3], "expected paths, got int"),
        ("a\0.jsonl", "expected a path"),
        (["-", "-"], "expected each file once, got '-' twice"),
    ],
    ids=str,
)
def test_inputs_that_are_none(
    inputs: Any, pattern: str, scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for name in ("in.txt", "in.csv", "in.parquet.gz"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link.txt").symlink_to(tmp_path / "in.txt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^inputs: {pattern}"):
        score_files(scorer, inputs, "out.parquet")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("output", "pattern"),
    [
        (".", "expected a file name, got the directory '.'"),
        ("folder", "expected a file name, got the directory 'folder'"),
        ("nowhere/out.parquet", "the directory 'nowhere' does not exist; create it first"),
        ("in.txt/out.parquet", "the directory 'in.txt' does not exist"),
        ("a\0.parquet", "expected a path, got"),
        ("/dev/null", "expected a regular file, got '/dev/null'"),
        ("in.txt", "'in.txt' would overwrite the input 'in.txt'"),
        ("./folder/../in.txt", "would overwrite the input"),
        ("a.parquet", "'a.parquet' would overwrite the input 'a.rejected.jsonl'"),
    ],
)
def test_outputs_that_are_none(
    output: str, pattern: str, scorer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    inputs = [jobs.write(Path("in.txt"), ["x"]), jobs.write(Path("a.rejected.jsonl"), ["x"])]
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InputError, match=rf"^output: .*{pattern}"):
        score_files(scorer, inputs, output)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_wrong_text_key(scorer: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="text_key: expected a name, got ''"):
        score_files(scorer, jobs.write(tmp_path / "in.txt", ["x"]), tmp_path / "out.parquet", text_key="")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB, where the machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode:
        pytest.skip(f"needs the right to mount a small tmpfs: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_disk_full(scorer: Any, small_disk: Path, tmp_path: Path) -> None:
    """Full at the manifest, in the parts, at the rejects, at the table; with more room it goes on."""
    source = jobs.write(tmp_path / "in.jsonl", jobs.documents(80))
    source.write_bytes(source.read_bytes() + b"\n" * 50)
    undisturbed = tmp_path / "undisturbed.parquet"
    score_files(scorer, source, undisturbed)
    output = small_disk / "out.parquet"
    ballast = small_disk / "ballast"
    free = 0
    full_at: set[str] = set()
    while not output.exists():
        ballast.write_bytes(b"x" * ((128 << 10) - free))
        try:
            score_files(scorer, source, output)
        except OSError as error:
            full_at.add(stage(error, small_disk))
        assert not list(small_disk.rglob("*.tmp"))
        free += 4096
    assert full_at == {"job.json", ".part", "out.rejected.jsonl", "out.parquet"}
    assert jobs.rows(output) == jobs.rows(undisturbed)
    assert jobs.rejects(output) == jobs.rejects(undisturbed)
    assert jobs.left_behind(small_disk, output, output.with_name("out.rejected.jsonl"), ballast) == []


def stage(error: OSError, disk: Path) -> str:
    """Which file met the full disk."""
    assert error.errno == errno.ENOSPC
    path = Path(error.filename)
    assert path.is_relative_to(disk)
    return path.suffix if path.suffix == ".part" else path.name


def test_unwritable_directory(scorer: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, as_nobody(folder):
        closed = Path(folder, "closed")
        closed.mkdir(mode=0o555)
        with pytest.raises(InputError, match=r"output: no permission to write in the directory '.*closed'"):
            score_files(scorer, jobs.write(Path(folder, "in.txt"), ["x"]), closed / "out.parquet")


@contextlib.contextmanager
def as_nobody(folder: str) -> Iterator[None]:
    """Root may write everywhere, so give its rights away for a moment; ``folder`` goes to who is left."""
    if os.geteuid():
        yield
        return
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
