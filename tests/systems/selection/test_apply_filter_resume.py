"""Killed at any moment and run again: the same bytes, each page scored once more at the most."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webpages

from pyfastlm.errors import InputError
from pyfastlm.selection import HashedOptions, RandomPages, apply_filter, train_filter
from pyfastlm.selection.filtering import scored

# A fork dies by SIGKILL at its n-th change of the file system; the next one ends the job.
FORKS = """
import json, os, shutil, signal, sys
from pathlib import Path
import pyarrow.parquet
from pyfastlm.selection import RandomPages, apply_filter
from pyfastlm.selection.filtering import scored

source, room, old = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
output = room / "output.jsonl"
scored.PART_PAGES = 32
changes, limit = 0, 10**9

def counted(function):
    def call(*arguments, **options):
        global changes
        changes += 1
        if changes >= limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

os.fsync = lambda descriptor: None  # a kill loses nothing that was written, and disks are slow
for name in ("replace", "fsync", "unlink", "rmdir", "mkdir", "open"):
    setattr(os, name, counted(getattr(os, name)))

def attempt(resume, last):
    global changes, limit
    child = os.fork()
    if child == 0:
        changes, limit = 0, last
        apply_filter(RandomPages(3), source, output, budget=5000, domain_key="domain", resume=resume)
        os._exit(0)
    return os.waitpid(child, 0)[1]

kills, whole = 0, set()
for last in range(1, 10**6, int(sys.argv[4])):
    shutil.rmtree(room)
    room.mkdir()
    for name in os.listdir(old):
        shutil.copy(Path(old, name), room / name)
    before = {name: (room / name).read_bytes() for name in os.listdir(room)}
    status = attempt(not before, last)
    if status == 0:
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    kills += 1
    if output.exists():
        whole.add(output.read_bytes())  # the old output or the new one, never a part
    parts = room / "output.jsonl.parts"  # a job without any binds nobody
    begun = (parts / "job.json").exists() and any(parts.glob("*.part"))
    assert attempt(begun or not before, 10**9) == 0
    whole.add(output.read_bytes())
    assert not parts.exists()
    assert len(os.listdir(room)) == 3
print(json.dumps({"kills": kills, "outputs": len(whole)}))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = webpages.rows(12)
    return webpages.write(tmp_path / "in.jsonl", [*rows[:50], {"id": "no text"}, *rows[50:]])


def contents(output: Path) -> list[bytes]:
    """Output, report without its seconds, and rejects."""
    report = json.loads(output.with_name(output.name + ".report.json").read_bytes())
    for name in ("seconds", "resumed", "output", "rejects"):
        report["report"].pop(name)
    rejected = output.with_name(output.stem + ".rejected.jsonl")
    return [output.read_bytes(), json.dumps(report).encode(), rejected.read_bytes()]


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ["new", "replaced"])
def test_killed_at_any_change_of_the_file_system(
    how: str, step: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored, "PART_PAGES", 32)
    undisturbed, room, old = tmp_path / "undisturbed.jsonl", tmp_path / "room", tmp_path / "old"
    room.mkdir()
    old.mkdir()
    apply_filter(RandomPages(3), source, undisturbed, budget=5000, domain_key="domain")
    if how == "replaced":
        apply_filter(RandomPages(4), source, old / "output.jsonl", budget=100, domain_key="domain")
    command = [sys.executable, "-c", FORKS, source, room, old, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] > 25 / step
    assert found["outputs"] == (1 if how == "new" else 2)
    assert contents(room / "output.jsonl") == contents(undisturbed)


class Counting(RandomPages):
    """Random scores, and how many texts it was asked for."""

    asked = 0

    def score(self, texts: Sequence[str]) -> np.ndarray:
        type(self).asked += len(texts)
        if type(self).asked > 60:
            raise KeyboardInterrupt
        return super().score(texts)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "PART_PAGES", 16)
    Counting.asked = 0


@pytest.mark.usefixtures("small_parts")
class TestInterrupted:
    """What was scored is not scored again, whatever the budget then is; other jobs are refused."""

    def interrupt(self, source: Path, output: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            apply_filter(Counting(3), source, output, budget=5000)
        assert not output.exists()
        Counting.asked = 0

    def test_only_the_rest_is_scored(self, source: Path, tmp_path: Path) -> None:
        output = tmp_path / "o.jsonl"
        self.interrupt(source, output)
        Counting.asked = -1000
        report = apply_filter(Counting(3), source, output, budget=700)
        assert report.resumed == 48
        assert Counting.asked == -1000 + 120 - 48
        other = apply_filter(RandomPages(3), source, tmp_path / "p.jsonl", budget=700)
        assert output.read_bytes() == (tmp_path / "p.jsonl").read_bytes()
        assert (other.taken_tokens, other.resumed) == (700, 0)

    def test_a_damaged_part_is_scored_again(self, source: Path, tmp_path: Path) -> None:
        output = tmp_path / "o.jsonl"
        self.interrupt(source, output)
        parts = sorted((tmp_path / "o.jsonl.parts").glob("*.part"))
        parts[0].write_bytes(b"")
        flipped = bytearray(parts[1].read_bytes())
        flipped[len(flipped) // 3] ^= 0xFF
        parts[1].write_bytes(flipped)
        assert apply_filter(RandomPages(3), source, output, budget=700).resumed == 16
        apply_filter(RandomPages(3), source, tmp_path / "p.jsonl", budget=700)
        assert output.read_bytes() == (tmp_path / "p.jsonl").read_bytes()

    def test_other_jobs_are_refused(self, source: Path, tmp_path: Path) -> None:
        output = tmp_path / "o.jsonl"
        self.interrupt(source, output)
        with pytest.raises(InputError, match=r"^resume: .* holds an unfinished job with another fingerprint"):
            apply_filter(RandomPages(4), source, output, budget=5000)
        with pytest.raises(InputError, match=r"^resume: .* with another domain_key"):
            apply_filter(RandomPages(3), source, output, budget=5000, domain_key="domain")
        data = source.read_bytes()
        source.write_bytes(data.replace(b"word", b"w0rd", 1))
        with pytest.raises(InputError, match=r"^resume: .* other contents of the inputs; restore them"):
            apply_filter(RandomPages(3), source, output, budget=5000)
        source.write_bytes(data[: len(data) // 8])
        with pytest.raises(InputError, match=r"^resume: .* other contents of the inputs"):
            apply_filter(RandomPages(3), source, output, budget=500)
        source.write_bytes(data)
        assert apply_filter(RandomPages(3), source, output, budget=5000).resumed == 48

    def test_an_output_that_came_meanwhile_is_not_replaced(self, source: Path, tmp_path: Path) -> None:
        output = tmp_path / "o.jsonl"
        self.interrupt(source, output)
        output.write_bytes(b"precious")
        with pytest.raises(InputError, match="exists and is of no such job"):
            apply_filter(RandomPages(3), source, output, budget=5000)
        assert output.read_bytes() == b"precious"

    def test_one_process_at_a_time(self, source: Path, tmp_path: Path) -> None:
        output, refused = tmp_path / "o.jsonl", []

        class Intruder(RandomPages):
            def score(self, texts: Sequence[str]) -> np.ndarray:
                with pytest.raises(InputError, match="another process is working in") as caught:
                    apply_filter(RandomPages(3), source, output, budget=5000)
                refused.append(caught)
                return super().score(texts)

        assert apply_filter(Intruder(3), source, output, budget=5000).taken_tokens == 5000
        assert refused


def test_the_filter_killed_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command as a process, killed in the midst of its scores: it goes on to the same bytes."""
    pages = webpages.write(tmp_path / "train.jsonl", webpages.rows(20))
    options, labels = HashedOptions(buckets=1 << 12), webpages.LABELS
    train_filter(pages, tmp_path / "f.json", labels=labels, kind="hashed", options=options, valid=0.2)
    source = webpages.write(tmp_path / "in.jsonl", webpages.rows(150, seed=2))
    script = (
        "import sys\n"
        "from pyfastlm.selection import apply_filter\n"
        "from pyfastlm.selection.filtering import scored\n"
        "scored.PART_PAGES = 20\n"
        "print(apply_filter(*sys.argv[1:4], keep=0.3).resumed)\n"
    )

    def start(output: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", script, tmp_path / "f.json", source, output]
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    output = tmp_path / "killed.parquet"
    process = start(output)
    parts = output.with_name(output.name + ".parts")
    while process.poll() is None and len(list(parts.glob("*.part"))) < 20:
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert not output.exists()
    process = start(output)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert 400 <= int(out) < 1500
    monkeypatch.setattr(scored, "PART_PAGES", 20)
    apply_filter(tmp_path / "f.json", source, tmp_path / "undisturbed.parquet", keep=0.3)
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
