"""Killed at any moment and run again: the same table, each document once; and what may not be resumed."""

import gzip
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import corpus
import jobs
import pytest

from pyfastlm.errors import InputError
from pyfastlm.lm.files import Progress, score_files
from pyfastlm.lm.files import plan as planning

ROOM = Path(jobs.__file__).parent


class Stop(BaseException):
    """Ends a job from its progress callback, after a chosen number of parts."""


def stop_after(parts: int) -> Callable[[Progress], None]:
    seen = 0

    def callback(state: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen == parts:
            raise Stop

    return callback


@pytest.fixture
def scorer(tiny_lm_dir: Path) -> Iterator[Any]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return jobs.write(tmp_path / "in.jsonl", jobs.documents(120))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def interrupt(scorer: Any, inputs: Any, output: Path, parts: int = 5, **options: Any) -> None:
    with pytest.raises(Stop):
        score_files(scorer, inputs, output, progress=stop_after(parts), **options)
    assert not output.exists()
    assert len(list(parts_of(output).glob("*.part"))) >= parts


def parts_of(output: Path) -> Path:
    return output.with_name(output.name + ".parts")


def test_resume_scores_only_the_rest(scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
    score_files(scorer, source, tmp_path / "undisturbed.parquet")
    interrupt(scorer, source, output)
    saved = {path: path.stat().st_mtime_ns for path in parts_of(output).glob("*.part")}
    fresh: list[Path] = []

    def watch(state: Progress) -> None:
        fresh.extend(path for path in parts_of(output).glob("*.part") if path not in saved)
        assert all(path.stat().st_mtime_ns == then for path, then in saved.items())

    report = score_files(scorer, source, output, progress=watch)

    assert fresh
    assert 0 < report.resumed_documents < report.documents == 120
    assert 0 < report.resumed_tokens < report.tokens
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
    assert jobs.left_behind(tmp_path, source, output, tmp_path / "undisturbed.parquet") == []


def test_an_unfinished_job_without_parts_binds_nobody(
    scorer: Any, source: Path, output: Path, tmp_path: Path
) -> None:
    interrupt(scorer, source, output)
    for part in parts_of(output).glob("*.part"):
        part.unlink()
    other = jobs.write(tmp_path / "other.txt", ["another job"])
    assert score_files(scorer, other, output).documents == 1


def test_a_finished_job_is_recognised(scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
    first = score_files(scorer, source, output)
    before = output.read_bytes(), output.stat().st_mtime_ns
    again = score_files(scorer, source, output)
    assert (output.read_bytes(), output.stat().st_mtime_ns) == before
    assert again.resumed_documents == again.documents == first.documents
    assert again.tokens_per_second == 0
    assert (again.logp, again.sources, again.fingerprint) == (first.logp, first.sources, first.fingerprint)
    assert jobs.left_behind(tmp_path, source, output) == []


def test_a_finished_job_with_other_contents_is_refused(scorer: Any, source: Path, output: Path) -> None:
    score_files(scorer, source, output)
    before = output.read_bytes()
    jobs.write(source, jobs.documents(120, seed=1))
    with pytest.raises(InputError, match=r"resume: .* made from other contents of the inputs; start afresh"):
        score_files(scorer, source, output)
    assert output.read_bytes() == before
    assert not parts_of(output).exists()
    assert score_files(scorer, source, output, resume=False).resumed_documents == 0
    assert output.read_bytes() != before


def test_afresh_discards_saved_parts(scorer: Any, source: Path, output: Path) -> None:
    interrupt(scorer, source, output)
    report = score_files(scorer, source, output, resume=False)
    assert (report.documents, report.resumed_documents) == (120, 0)


def test_afresh_interrupted_is_resumed_and_replaces(
    scorer: Any, source: Path, output: Path, tmp_path: Path
) -> None:
    score_files(scorer, source, tmp_path / "undisturbed.parquet")
    other = jobs.write(tmp_path / "other.txt", ["another job"])
    score_files(scorer, other, output)
    old = output.read_bytes()
    with pytest.raises(Stop):
        score_files(scorer, source, output, resume=False, progress=stop_after(3))
    assert output.read_bytes() == old
    assert score_files(scorer, source, output).resumed_documents > 0
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()


@pytest.mark.parametrize("finished", [False, True], ids=["unfinished", "finished"])
class TestDifferentJob:
    """Saved work of another job is never mixed in: one line says what differs and what to do."""

    def prepare(self, finished: bool, scorer: Any, source: Path, output: Path) -> None:
        if finished:
            score_files(scorer, source, output)
        else:
            interrupt(scorer, source, output)

    def refused(self, pattern: str, scorer: Any, inputs: Any, output: Path, **options: Any) -> None:
        before = sorted(path.name for path in output.parent.rglob("*"))
        with pytest.raises(InputError, match=rf"^resume: .*{pattern}.*resume=False \(--no-resume\)$"):
            score_files(scorer, inputs, output, **options)
        assert sorted(path.name for path in output.parent.rglob("*")) == before

    def test_model(self, finished: bool, scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
        from tiny import save_tiny_lm

        self.prepare(finished, scorer, source, output)
        save_tiny_lm(tmp_path / "other_lm", seed=1)
        self.refused("another fingerprint", jobs.tiny_scorer(tmp_path / "other_lm"), source, output)

    def test_settings(self, finished: bool, scorer: Any, source: Path, output: Path) -> None:
        from pyfastlm.lm import Scorer

        self.prepare(finished, scorer, source, output)
        shorter = Scorer(scorer.lm, max_length=32, tokens_per_batch=64)
        self.refused(r"another max_length \(then \d+, now 32\)", shorter, source, output)
        wider = Scorer(scorer.lm, tokens_per_batch=128)
        self.refused(r"another tokens_per_batch \(then 64, now 128\)", wider, source, output)
        self.refused("another text_key", scorer, source, output, text_key="body")

    def test_inputs(self, finished: bool, scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
        more = jobs.write(tmp_path / "more.txt", ["one more"])
        self.prepare(finished, scorer, [source, more], output)
        self.refused("other inputs .now without .*more.txt", scorer, [source], output)
        self.refused("other inputs .now in another order", scorer, [more, source], output)
        third = jobs.write(tmp_path / "third.txt", ["yet another"])
        self.refused("other inputs .now with .*third.txt", scorer, [source, more, third], output)

    def test_contents(self, finished: bool, scorer: Any, source: Path, output: Path) -> None:
        self.prepare(finished, scorer, source, output)
        data = source.read_bytes()
        source.write_bytes(data.replace(b"e", b"f", 1))
        self.refused("other contents of", scorer, source, output)
        source.write_bytes(data[: len(data) // 10])
        self.refused("other contents of", scorer, source, output)
        if finished:  # what no saved part covers is free to change
            source.write_bytes(data + data)
            self.refused("other contents of", scorer, source, output)
        source.write_bytes(b"")
        self.refused("other contents of", scorer, source, output)
        source.write_bytes(data)
        assert score_files(scorer, source, output).documents == 120


def test_same_contents_in_a_new_file_go_on(scorer: Any, source: Path, output: Path) -> None:
    interrupt(scorer, source, output)
    data = source.read_bytes()
    source.unlink()
    source.write_bytes(data)
    assert score_files(scorer, source, output).resumed_documents > 0


def test_a_truncated_input_goes_on_when_it_is_whole(
    scorer: Any, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyfastlm.lm.files.plan.PART_ROWS", 30)
    texts = jobs.documents(300)
    source = jobs.write(tmp_path / "in.jsonl.gz", texts)
    score_files(scorer, source, tmp_path / "undisturbed.parquet")
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) * 3 // 4])
    monkeypatch.setattr("pyfastlm.lm.files.lines.BUFFER_BYTES", 512)

    with pytest.raises(
        InputError, match=r"in.jsonl.gz' is truncated or damaged gzip after line [\d,]+ \(byte"
    ):
        score_files(scorer, source, output)
    assert not output.exists()
    source.write_bytes(whole)
    report = score_files(scorer, source, output)

    assert report.resumed_documents >= 30
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()


def test_standard_input_fed_again(scorer: Any, output: Path, tmp_path: Path) -> None:
    data = jobs.jsonl(jobs.documents(120))
    with jobs.standard_input(data):
        interrupt(scorer, "-", output)
    with (
        jobs.standard_input(data[: len(data) // 3]),
        pytest.raises(InputError, match="other contents of '-'"),
    ):
        score_files(scorer, "-", output)
    with jobs.standard_input(b""), pytest.raises(InputError, match="other contents of '-'"):
        score_files(scorer, "-", output)
    with jobs.standard_input(data):
        report = score_files(scorer, "-", output)
    assert 0 < report.resumed_documents < report.documents == 120


def test_a_damaged_part_is_scored_again(scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
    score_files(scorer, source, tmp_path / "undisturbed.parquet")
    interrupt(scorer, source, output, parts=6)
    parts = sorted(parts_of(output).glob("*.part"))
    parts[0].write_bytes(b"")
    parts[1].write_bytes(parts[1].read_bytes()[:-20])
    flipped = bytearray(parts[2].read_bytes())
    flipped[len(flipped) // 3] ^= 0xFF
    parts[2].write_bytes(flipped)
    score_files(scorer, source, output)
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()


def test_foreign_files_are_never_touched(scorer: Any, source: Path, output: Path, tmp_path: Path) -> None:
    output.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists and is no table of this kind; remove or rename it"):
        score_files(scorer, source, output)
    assert output.read_bytes() == b"precious"
    assert not parts_of(output).exists()
    output.unlink()
    parts_of(output).mkdir()
    (parts_of(output) / "thesis.tex").write_bytes(b"precious")
    for resume in (True, False):
        with pytest.raises(InputError, match=r"holds 'thesis.tex', which is no part of a job"):
            score_files(scorer, source, output, resume=resume)
    assert os.listdir(parts_of(output)) == ["thesis.tex"]
    (parts_of(output) / "thesis.tex").unlink()
    parts_of(output).rmdir()
    parts_of(output).write_bytes(b"precious")
    with pytest.raises(InputError, match="is in the way"):
        score_files(scorer, source, output)
    assert parts_of(output).read_bytes() == b"precious"


def test_an_empty_output_file_counts_as_absent(scorer: Any, source: Path, output: Path) -> None:
    output.touch()  # mktemp makes such files
    assert score_files(scorer, source, output).documents == 120


def test_leftovers_of_a_finished_job_are_swept(
    scorer: Any, source: Path, output: Path, tmp_path: Path
) -> None:
    score_files(scorer, source, output)
    parts_of(output).mkdir()
    (parts_of(output) / "000000-00000-abc.part").write_bytes(b"left by a kill during the removal")
    assert score_files(scorer, source, output).resumed_documents == 120
    assert jobs.left_behind(tmp_path, source, output) == []


def test_one_process_at_a_time(scorer: Any, source: Path, output: Path) -> None:
    refused = []

    def intrude(state: Progress) -> None:
        if not refused:
            with pytest.raises(InputError, match=r"another process is working in .*; wait for it") as caught:
                score_files(scorer, source, output, resume=False)
            refused.append(caught)

    report = score_files(scorer, source, output, progress=intrude)
    assert refused
    assert report.documents == 120


# Runs in a process of its own: the model is loaded once, then every attempt is a fork. Forks die for real, by
# SIGKILL, at their n-th change of the file system (in the midst of a write); at the end, two at once.
FORKS = """
import builtins, io, os, signal, sys
sys.path.insert(0, {room!r})
from pathlib import Path
import jobs, torch
torch.set_num_threads(1)
from pyfastlm.errors import InputError
from pyfastlm.lm.files import score_files

folder = Path({folder!r})
scorer = jobs.tiny_scorer(Path({lm!r}))
REFUSED = 7

def fork(job, *arguments):
    child = os.fork()
    if child:
        return child
    try:
        job(*arguments)
    except InputError as error:
        os._exit(REFUSED if "another process is working" in str(error) else 1)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def score(output):
    score_files(scorer, [folder / "in.jsonl", folder / "in.txt"], output)

def dying(output, at):
    count = 0
    def is_due():
        nonlocal count
        count += 1
        return count == at
    def die():
        os.kill(os.getpid(), signal.SIGKILL)
    def counting(operation):
        def counted(*args, **options):
            if is_due():
                die()
            return operation(*args, **options)
        return counted
    class Torn(io.FileIO):
        def write(self, data):
            if is_due():
                super().write(memoryview(data)[: len(data) // 2])
                die()
            return super().write(data)
    def opened(path, mode="r", *args, **options):
        return io.BufferedWriter(Torn(path, "w")) if mode == "wb" else usual(path, mode, *args, **options)
    usual, builtins.open = open, opened
    for name in ("mkdir", "replace", "fsync", "unlink", "rmdir"):
        setattr(os, name, counting(getattr(os, name)))
    score(output)

score(folder / "undisturbed.parquet")  # here and not in a fork: what is first slow is then done for all
wanted = [(folder / ("undisturbed" + s)).read_bytes() for s in (".parquet", ".rejected.jsonl")]

def is_whole(output):
    found = [output.read_bytes(), output.with_suffix(".rejected.jsonl").read_bytes()]
    return found == wanted and not output.with_name(output.name + ".parts").exists()

deaths = 0
while True:
    output = folder / f"out{{deaths}}.parquet"
    end = status(fork(dying, output, deaths + 1))
    if end == 0:
        break
    assert end == -signal.SIGKILL, end
    deaths += 1
    assert not output.exists() or output.read_bytes() == wanted[0], deaths
    assert status(fork(score, output)) == 0, deaths
    assert is_whole(output), deaths

output = folder / "raced.parquet"
pair = [fork(score, output), fork(score, output)]
# The second either met the first at work, or came after its end and found the table finished.
ends = sorted(map(status, pair))
assert ends in ([0, 0], [0, REFUSED]), ends
assert is_whole(output)
print(deaths)
"""


def test_killed_at_every_change_of_the_file_system(tiny_lm_dir: Path, tmp_path: Path) -> None:
    jobs.write(tmp_path / "in.jsonl", jobs.documents(30))
    (tmp_path / "in.txt").write_bytes(b"good\n\nalso good\n")
    script = FORKS.format(room=str(ROOM), folder=str(tmp_path), lm=str(tiny_lm_dir))
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYFASTLM_NUM_THREADS": "1"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 20


def test_what_is_renamed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a power cut: the contents before the name, then the directory that holds the name."""
    from pyfastlm import _durable as durable

    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "contents")
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        done.append("rename")
        assert old.read_bytes() == b"whole"
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with durable.replacing(tmp_path / "a", tmp_path / "a.tmp") as file:
        file.write(b"whole")
    assert done == ["contents", "rename", "directory"]


def kill_and_finish(arguments: tuple[Any, ...], output: Path, parts: int, *, pause: float) -> int:
    """Kill the command three times at random moments of its work, then let it end; count what it kept."""
    rng = random.Random(0)
    for kill in range(3):
        process = jobs.start(*arguments)
        # A share of what is still to do, then a moment more: anywhere inside a part.
        share = parts * (kill + rng.random()) / 4
        while process.poll() is None and len(list(parts_of(output).glob("*.part"))) < share:
            time.sleep(0.001)
        time.sleep(rng.random() * pause)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        assert not output.exists()
    process = jobs.start(*arguments, "--json")
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    return int(json.loads(out)["resumed_documents"])


@pytest.mark.slow
def test_killed_three_times_at_random_moments(
    scorer: Any, tiny_lm_dir: Path, tmp_path: Path, output: Path
) -> None:
    jobs.write(tmp_path / "in.jsonl.gz", jobs.documents(300))
    with gzip.open(tmp_path / "in.txt.gz", "wb") as file:
        file.write(b"good\n\xff\n\nalso good\n")
    inputs = (tmp_path / "in.jsonl.gz", tmp_path / "in.txt.gz")
    undisturbed = tmp_path / "undisturbed.parquet"
    seen: list[Progress] = []
    score_files(scorer, inputs, undisturbed, progress=seen.append)

    arguments = (*inputs, "-o", output, "--model", tiny_lm_dir, "--tokens-per-batch", "64")
    kept = kill_and_finish(arguments, output, len(seen), pause=0.02)

    assert 0 < kept < 302
    assert jobs.rows(output) == jobs.rows(undisturbed)
    assert jobs.rejects(output) == jobs.rejects(undisturbed)
    assert [row["row"] for row in jobs.rows(output)] == [*range(1, 301), 1, 4]
    assert not parts_of(output).exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_2000_real_documents_killed_three_times(tmp_path: Path, output: Path) -> None:
    pytest.importorskip("gguf")
    if (reason := corpus.missing()) is not None:
        pytest.skip(reason)
    source = tmp_path / "in.jsonl"
    source.write_bytes(jobs.jsonl(corpus.documents(2000, median_bytes=8.0)))
    undisturbed = tmp_path / "undisturbed.parquet"
    arguments = ("--model", "smollm2", "--tokens-per-batch", "256")

    process = jobs.start(source, "-o", undisturbed, *arguments, "--json")
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    parts = json.loads(out)["bytes"] // (planning.PART_BYTES_PER_TOKEN * 256)
    kept = kill_and_finish((source, "-o", output, *arguments), output, parts, pause=2.0)

    assert 0 < kept < 2000
    assert jobs.rows(output) == jobs.rows(undisturbed)
    assert len(jobs.rows(output)) == 2000
