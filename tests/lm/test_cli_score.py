"""``pyfastlm score``: what it prints where, and how it ends."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pyfastlm.cli.app import run
from pyfastlm.lm.files import score_files


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with jobs.one_thread():
        yield


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = jobs.write(tmp_path / "in.jsonl", jobs.documents(20))
    path.write_bytes(path.read_bytes() + b'{"text": ""}\n')
    return path


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on standard error with which ``pyfastlm score`` refuses."""
    capsys.readouterr()
    assert run(["score", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert err.count("\n") == 1
    return err


def test_table(source: Path, tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.parquet"
    code = run(["score", str(source), "-o", str(output), "-m", str(tiny_lm_dir), "--tokens-per-batch", "64"])
    out, err = capsys.readouterr()
    assert code == 0
    assert err == ""
    expected = score_files(jobs.tiny_scorer(tiny_lm_dir), source, tmp_path / "api.parquet")
    total = next(line for line in out.splitlines() if line.startswith("│ all"))
    cells = [cell.strip() for cell in total.strip("│").split("│")]
    assert cells == [
        "all",
        "20",
        "1",
        f"{expected.tokens:,}",
        f"{expected.bytes:,}",
        f"{expected.bits_per_byte:.4f}",
    ]
    for shown in ("documents/s", "tokens/s", f"table: {output}", "rejected rows: ", expected.fingerprint):
        assert shown in out.replace("\n", "")
    assert jobs.rows(output) == jobs.rows(tmp_path / "api.parquet")


def test_json(source: Path, tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(source), "-o", str(tmp_path / "out.parquet"), "-m", str(tiny_lm_dir), "--json"]
    assert run(["score", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = json.loads(out)
    assert (report["documents"], report["rejected"], report["resumed_documents"]) == (20, 1, 0)
    assert report["output"] == str(tmp_path / "out.parquet")
    assert report["rejects"] == str(tmp_path / "out.rejected.jsonl")
    assert report["tokens_per_second"] > 0
    assert [entry["source"] for entry in report["sources"]] == [str(source)]


def test_options_reach_the_scorer(
    source: Path, tiny_lm_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pyfastlm._threads import ENVIRONMENT, num_threads

    monkeypatch.setenv(ENVIRONMENT, "2")
    source.write_bytes(jobs.jsonl(["one two three " * 20], key="body"))
    output = tmp_path / "out.parquet"
    arguments = [str(source), "-o", str(output), "-m", str(tiny_lm_dir), "--text-key", "body"]
    assert run(["score", *arguments, "--max-length", "16", "--threads", "1"]) == 0
    assert torch.get_num_threads() == num_threads() == 1
    (row,) = jobs.rows(output)
    assert row["n_windows"] == -(-row["n_tokens"] // 16)
    assert run(["score", *arguments, "--max-length", "16", "--no-resume"]) == 0
    assert run(["score", *arguments, "--max-length", "32"]) == 2


def test_strict_json_even_for_nothing(
    tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.txt").touch()
    arguments = [
        str(tmp_path / "in.txt"),
        "-o",
        str(tmp_path / "out.parquet"),
        "-m",
        str(tiny_lm_dir),
        "--json",
    ]
    assert run(["score", *arguments]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert report["bits_per_byte"] is None


def test_nothing_but_rejects_is_an_error(
    tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"body": "a"}\n' * 3)
    arguments = [str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.parquet"), "-m", str(tiny_lm_dir)]
    assert run(["score", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pyfastlm: error: inputs: none of the 3 rows can be scored; see ")
    assert len(jobs.rejects(tmp_path / "out.parquet")) == 3


def test_mistakes(
    source: Path, tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ("-o", tmp_path / "out.parquet")
    model = ("-m", tiny_lm_dir)
    assert "No such file or directory" in refusal(capsys, tmp_path / "no.jsonl", *output, *model)
    assert "got the directory" in refusal(capsys, tmp_path, *output, *model)
    assert "no file matches" in refusal(capsys, tmp_path / "*.zst", *output, *model)
    assert "does not exist; create it" in refusal(capsys, source, "-o", tmp_path / "no" / "o.parquet", *model)
    assert "Missing option" in refusal(capsys, source, *model)
    assert "Missing argument" in refusal(capsys, *output, *model)
    assert "--max-length" in refusal(capsys, source, *output, *model, "--max-length", "0")
    assert "--threads" in refusal(capsys, source, *output, *model, "--threads", "many")
    assert "No such option" in refusal(capsys, source, *output, *model, "--colour")
    assert "at most the model's context" in refusal(capsys, source, *output, *model, "--max-length", "9999")
    assert "no such file or directory" in refusal(capsys, source, *output, "-m", tmp_path / "no_model")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    assert "truncated or damaged parquet" in refusal(capsys, tmp_path / "bad.parquet", *output, *model)
    assert not (tmp_path / "out.parquet").exists()


def test_interrupted_then_resumed(source: Path, tiny_lm_dir: Path, tmp_path: Path) -> None:
    """Ctrl-C in a real process: one line, exit code 130, and the same command goes on."""
    jobs.write(source, jobs.documents(200))
    output = tmp_path / "out.parquet"
    arguments = (source, "-o", output, "-m", tiny_lm_dir, "--tokens-per-batch", "64")
    process = jobs.start(*arguments)
    while process.poll() is None and len(list(tmp_path.glob("out.parquet.parts/*.part"))) < 5:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "pyfastlm: error: interrupted; rerun to resume\n")
    assert not output.exists()
    report = score_files(jobs.tiny_scorer(tiny_lm_dir), source, output)
    assert report.resumed_documents > 0
    assert report.documents == 200


def test_a_reader_that_goes_away(source: Path, tiny_lm_dir: Path, tmp_path: Path) -> None:
    """``pyfastlm score ... | head -0`` finishes its work and complains about nothing."""
    process = jobs.start(source, "-o", tmp_path / "out.parquet", "-m", tiny_lm_dir)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    assert len(jobs.rows(tmp_path / "out.parquet")) == 20


PEAK = """
from pyfastlm.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def write_large(folder: Path, count: int) -> list[Path]:
    """Files of ``count`` times 64 KiB each, nearly all of it in fields and rows that are not scored."""
    ballast = "x" * (64 << 10)
    line = json.dumps({"text": "", "page": ballast}).encode() + b"\n"
    with gzip.open(folder / f"{count}.jsonl.gz", "wb", compresslevel=1) as file:
        file.write(jobs.jsonl(jobs.documents(20)))
        for _ in range(count):
            file.write(line)
            file.write(b"\n" * 20)
    texts = pa.array([b"good"] * 20 + [b"\xff" + ballast.encode()] * count, pa.binary())
    # One row group, but pages of sane size: a page is the least that any reader can hold.
    options = {"use_dictionary": False, "row_group_size": len(texts), "write_batch_size": 16}
    pq.write_table(pa.table({"text": texts}), folder / f"{count}.parquet", **options)
    return [folder / f"{count}.jsonl.gz", folder / f"{count}.parquet"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to read peak memory")
def test_memory_is_flat_in_the_size_of_the_input(tiny_lm_dir: Path, tmp_path: Path) -> None:
    peaks = []
    for count in (120, 1200):
        sources = write_large(tmp_path, count)
        arguments = ["score", *sources, "-o", tmp_path / f"{count}.out.parquet", "-m", tiny_lm_dir, "--json"]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYFASTLM_NUM_THREADS": "1"},
        )
        report, _, peak = done.stdout.rpartition("}\n")
        assert json.loads(report + "}")["rejected"] == 22 * count
        peaks.append(int(peak))
    assert peaks[1] < 1.10 * peaks[0], peaks  # holding the larger files would take 150 MiB more


def test_help_names_every_option() -> None:
    done = subprocess.run(jobs.command("--help"), capture_output=True, text=True, check=True)
    for option in (
        "--text-key",
        "--max-length",
        "--tokens-per-batch",
        "--no-resume",
        "--json",
        "--threads",
        "-o",
    ):
        assert option in done.stdout
    assert "pyfastlm score 'corpus/*.jsonl.gz' -o scores.parquet --model smollm2" in done.stdout


def test_commands_share_one_shape() -> None:
    import importlib

    from pyfastlm.cli.app import COMMANDS

    for name in COMMANDS:
        command: Any = importlib.import_module(f"pyfastlm.cli.{name}").command
        assert f"pyfastlm {name}" in command.__doc__, "a help text has an example"
