"""``pyfastlm prefer clair`` and ``contrast`` from the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from endpoints import endpoint, said
from tiny import SENTENCES

from pyfastlm.cli.app import run
from pyfastlm.preference.files import read_pairs
from pyfastlm.preference.revising.prompt import written

ROWS = [{"prompt": f"Say {n}.", "response": f"It is an number like {n}."} for n in range(12)]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def mended(prompt: str, _: int = 0) -> Any:
    found = next((row["response"] for row in ROWS if row["response"] in prompt), "")
    return said(written(found.replace("an number", "a number")))


def test_pairs_by_an_endpoint_and_their_contrast(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    pairs = tmp_path / "pairs.jsonl"
    with endpoint(mended) as server:
        command = ["prefer", "clair", str(rows), "-o", str(pairs), "--endpoint", server.url, "--reviser", "m"]
        command += ["--key-variable", "MY_KEY", "--concurrency", "2"]
        assert run([*command, "--limit", "5", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["rows"], told["pairs"], told["reasons"]) == (5, 5, {})
        assert run(command) == 0
        assert "equal to the original" not in capsys.readouterr().out
        assert len(server.requests) == 12
        assert server.requests[0][2]["temperature"] == 0.7
    assert [pair.chosen for pair in read_pairs(pairs)] == [f"It is a number like {n}." for n in range(12)]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "pairs.jsonl",
        "pairs.jsonl.answers.jsonl",
        "rows.jsonl",
    ]

    page = tmp_path / "contrast.md"
    assert run(["prefer", "contrast", str(pairs), "--page", str(page), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)["builders"].values()
    assert report["measures"]["jaccard"]["mean"] == pytest.approx(5 / 7)
    assert "~~an~~ **a**" in page.read_text()
    assert run(["prefer", "contrast", str(pairs)]) == 0
    assert "Contrast: medians" in capsys.readouterr().out


def test_pairs_by_a_model_of_answers_of_its_own(
    tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts, pairs = tmp_path / "prompts.jsonl", tmp_path / "pairs.jsonl"
    prompts.write_text("".join(json.dumps({"q": text[:9]}) + "\n" for text in SENTENCES))
    command = ["prefer", "clair", str(prompts), "--prompt-key", "q", "-o", str(pairs), "--limit", "3"]
    command += ["--reviser", str(tiny_lm_dir), "--target", str(tiny_lm_dir), "--answer-tokens", "4"]
    assert run([*command, "--proofread", "--max-tokens", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["pairs"], told["answers_cut_off"]) == (3, 0, 3)
    assert run([*command, "--temperature", "0.5", "--max-tokens", "3"]) == 0
    assert "cut off at 4 tokens: 3" in capsys.readouterr().out
    assert pairs.read_bytes() == b""
    assert len((tmp_path / "pairs.rejected.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clair", "ROWS", "-o", "no/such/pairs.jsonl"], "no such directory: 'no/such'"),
        (["clair", "nothing.jsonl", "-o", "OUT"], "nothing.jsonl"),
        (
            ["clair", "ROWS", "-o", "OUT", "--response-key", "x"],
            "expected a string as 'x'",
        ),
        (["clair", "ROWS", "-o", "OUT", "--reviser", "./nowhere"], "no such file or directory: './nowhere'"),
        (["clair", "ROWS", "-o", "OUT", "--endpoint", "host"], "base_url: expected http"),
        (["clair", "ROWS", "-o", "OUT", "--endpoint", "http://h/v1", "--key-variable", "NO_KEY"], "NO_KEY"),
        (["clair", "ROWS", "-o", "OUT", "--cache", "ROWS", "--reviser", "LM"], "is no file of answers"),
        (["clair", "ROWS", "-o", "OUT", "--temperature", "-1", "--reviser", "LM"], "temperature: expected"),
        (["contrast", "ROWS"], "line 1: expected the column 'chosen'"),
        (["contrast", "ROWS", "ROWS"], "expected each file once"),
        (["contrast", "ROWS", "--page", "no/such/page.md"], "no such directory: 'no/such'"),
    ],
)
def test_mistakes_get_one_line(
    arguments: list[str],
    message: str,
    rows: Path,
    tiny_lm_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"ROWS": str(rows), "OUT": str(tmp_path / "out.jsonl"), "LM": str(tiny_lm_dir)}
    before = rows.read_bytes()
    assert run(["prefer", *(places.get(each, each) for each in arguments)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert rows.read_bytes() == before
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.slow
def test_the_command_survives_kill_9(rows: Path, tmp_path: Path) -> None:
    def started(name: str, url: str) -> "subprocess.Popen[str]":
        arguments = ["prefer", "clair", str(rows), "-o", str(tmp_path / f"{name}.jsonl"), "--endpoint", url]
        return subprocess.Popen(
            [sys.executable, "-c", "from pyfastlm.cli import main; main()", *arguments, "--concurrency", "1"],
            env=os.environ | {"OPENAI_API_KEY": "x"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def slow(prompt, _):
        return mended(prompt)._replace(delay=0.02)

    with endpoint(slow) as server:
        process = started("killed", server.url)
        while process.poll() is None and len(server.requests) < 6:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed.jsonl").exists()
        for name in ("killed", "undisturbed"):
            process = started(name, server.url)
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        # Batches of four; of the one that was cut short two had been asked for.
        assert len(server.requests) <= 12 + 12 + 4
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()
    assert len(read_pairs(tmp_path / "killed.jsonl")) == 12
