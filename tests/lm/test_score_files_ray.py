"""Scoring on a Ray cluster: the table is that of the local engine, to the last byte."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import clusters
import jobs
import pytest
import torch
from clusters import ONE, TWO
from samples import Stub

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError, InputTypeError, MissingExtra, Unavailable
from pyfastlm.lm import Scorer, load
from pyfastlm.lm.files import Progress, RayOptions, score_files
from pyfastlm.lm.files.ray_cluster import warn_of_waiting
from pyfastlm.lm.files.ray_engine import OnRay
from pyfastlm.lm.files.ray_scorer import Loaded, Sent, maker
from pyfastlm.lm.files.ray_worker import portable


@pytest.fixture
def scorer(tiny_lm_dir: Path) -> Iterator[Any]:
    with jobs.one_thread():
        yield jobs.tiny_scorer(tiny_lm_dir)


@pytest.fixture(scope="session")
def stub() -> Any:
    return Stub("a")


def parts_of(output: Path) -> Path:
    return output.with_name(output.name + ".parts")


def test_the_same_table_by_the_command_line(
    ray_cluster: Any, scorer: Any, tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [
        jobs.write(tmp_path / "1.jsonl.gz", jobs.documents(40)),
        jobs.write(tmp_path / "2.parquet", jobs.documents(30, seed=1)),
        tmp_path / "3.txt",
    ]
    inputs[2].write_bytes(b"good\n\n\xff\nalso good\n")
    expected = score_files(scorer, inputs, tmp_path / "local.parquet")
    options = ["-o", tmp_path / "out.parquet", "-m", tiny_lm_dir, "--tokens-per-batch", "64", "--json"]

    assert run(["score", *map(str, [*inputs, *options]), "--engine", "ray", "--workers", "1:2"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert (report["documents"], report["rejected"], report["resumed_documents"]) == (72, 2, 0)
    assert report["fingerprint"] == expected.fingerprint
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
    assert jobs.rejects(tmp_path / "out.parquet") == jobs.rejects(tmp_path / "local.parquet")
    made = ["local.parquet", "local.rejected.jsonl", "out.parquet", "out.rejected.jsonl"]
    assert jobs.left_behind(tmp_path, *inputs) == made


def test_progress_and_report_are_those_of_the_local_engine(
    ray_cluster: Any, stub: Any, tmp_path: Path
) -> None:
    source = jobs.write(tmp_path / "in.jsonl", jobs.documents(300))
    seen: dict[str, list[Any]] = {"local": [], "ray": []}
    reports = {
        engine: score_files(
            stub,
            source,
            tmp_path / f"{engine}.parquet",
            progress=lambda state, engine=engine: seen[engine].append(state),
            engine=engine,
            ray=options,
        )
        for engine, options in {"local": None, "ray": TWO}.items()
    }
    shared = ("documents", "rejected", "tokens", "resumed_documents", "bytes_done", "bytes_total")
    counted = [[[getattr(state, name) for name in shared] for state in seen[engine]] for engine in seen]
    assert counted[0] == counted[1]
    assert len(counted[0]) > 5
    assert reports["ray"].sources == reports["local"].sources
    assert (tmp_path / "ray.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()


def test_goes_on_with_what_the_local_engine_began(ray_cluster: Any, stub: Any, tmp_path: Path) -> None:
    source, output = jobs.write(tmp_path / "in.jsonl", jobs.documents(300)), tmp_path / "out.parquet"
    score_files(stub, source, tmp_path / "local.parquet")

    class Stop(BaseException):
        pass

    def stop(state: Progress) -> None:
        if state.documents > 100:
            raise Stop

    with pytest.raises(Stop):
        score_files(stub, source, output, progress=stop)
    saved = {path: path.stat().st_mtime_ns for path in parts_of(output).glob("*.part")}
    assert len(saved) > 2
    damaged = min(saved)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    del saved[damaged]

    def watch(state: Progress) -> None:
        assert all(path.stat().st_mtime_ns == then for path, then in saved.items())

    report = score_files(stub, source, output, engine="ray", ray=TWO, progress=watch)

    assert 0 < report.resumed_documents < report.documents == 300
    assert output.read_bytes() == (tmp_path / "local.parquet").read_bytes()
    assert not parts_of(output).exists()


def test_a_damaged_input_ends_as_it_does_locally(ray_cluster: Any, stub: Any, tmp_path: Path) -> None:
    """One InputError with the same words; what stands before the damage is scored and kept."""
    source, output = jobs.write(tmp_path / "in.jsonl.gz", jobs.documents(2000)), tmp_path / "out.parquet"
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError) as local:
        score_files(stub, source, tmp_path / "local.parquet")
    with pytest.raises(InputError, match="is truncated or damaged gzip after line") as caught:
        score_files(stub, source, output, engine="ray", ray=ONE)
    assert str(caught.value) == str(local.value)
    names = [sorted(os.listdir(parts_of(path))) for path in (output, tmp_path / "local.parquet")]
    assert names[0] == names[1]
    assert len(names[0]) > 3
    source.write_bytes(jobs.compressed(jobs.jsonl(["another"]), ".gz"))
    with pytest.raises(InputError, match=r"^resume: .* with other contents of .*in.jsonl.gz"):
        score_files(stub, source, output, engine="ray", ray=ONE)


def test_standard_input_is_copied_first(ray_cluster: Any, stub: Any, tmp_path: Path) -> None:
    texts = jobs.documents(100)
    with jobs.standard_input(jobs.jsonl(texts)):
        score_files(stub, "-", tmp_path / "local.parquet")
    with jobs.standard_input(jobs.jsonl(texts)):
        score_files(stub, "-", tmp_path / "out.parquet", engine="ray", ray=ONE)
    assert jobs.rows(tmp_path / "out.parquet") == jobs.rows(tmp_path / "local.parquet")
    assert jobs.left_behind(tmp_path) == ["local.parquet", "out.parquet"]


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (clusters.Changing, InputError, "another fingerprint ('of another version') than the driver"),
        (
            clusters.Unloadable,
            InputError,
            "cannot load what the driver could: no such file: 'weights'; put it",
        ),
        (clusters.Raising, RuntimeError, "Unsendable: this and that"),
    ],
)
def test_what_goes_wrong_on_a_worker(
    wrong: Any, error: type, told: str, ray_cluster: Any, tmp_path: Path
) -> None:
    source = jobs.write(tmp_path / "in.jsonl", jobs.documents(20))
    with pytest.raises(error, match=re.escape(told)) as caught:
        score_files(wrong("b"), source, tmp_path / "out.parquet", engine="ray", ray=ONE)
    assert type(caught.value) is error
    assert jobs.left_behind(tmp_path, source) == [], "nothing was scored, so nothing is left"


# A process with a cluster of its own, whose object store is small; it tells how far the inputs have been read
# when forty parts are done, and ends.
AHEAD = """
import os, sys
from pathlib import Path
import clusters
from pyfastlm.lm.files import score_files
from pyfastlm.lm.files.ray_cluster import loaded
source = sys.argv[1]
os.environ["PYTHONPATH"] = os.path.dirname(clusters.__file__)
loaded().init(address="local", num_cpus=1, object_store_memory=100 << 20, include_dashboard=False)

def offsets():
    for name in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(name) == source:
                yield int((name.parents[1] / "fdinfo" / name.name).read_text().split()[1])
        except OSError:
            continue

def stop(state):
    if state.documents == 40:
        print(*offsets(), flush=True)
        os._exit(0)

score_files(clusters.Slow("a"), source, source + ".parquet", engine="ray", ray=clusters.ONE, progress=stop)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="needs /proc to see what has been read")
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (extra ray)")
def test_reading_waits_for_the_workers(tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes((b"x" * 100_000 + b"\n") * 3000)
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, str(source)],
        env=os.environ | {"PYTHONPATH": str(Path(clusters.__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    (offset,) = map(int, done.stdout.split())
    assert offset < 0.15 * source.stat().st_size, "at the pace of the reading task all of it had been read"


@pytest.mark.slow
def test_a_document_that_kills_its_worker_ends_the_job(ray_cluster: Any, tmp_path: Path) -> None:
    texts = jobs.documents(40)
    source, output = jobs.write(tmp_path / "in.jsonl", texts), tmp_path / "out.parquet"
    deadly: Any = clusters.Deadly("a", texts[30])
    with pytest.raises(Unavailable, match=r"from row \d+ of input 1 to row \d+ of input 1 lost its worker 5"):
        score_files(deadly, source, output, engine="ray", ray=ONE)
    assert len(list(parts_of(output).glob("*.part"))) > 3, "what is scored is kept"


@pytest.mark.slow
def test_what_ray_gives_up_is_done_in_another_round(
    ray_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = jobs.write(tmp_path / "in.jsonl", jobs.documents(150)), tmp_path / "out.parquet"
    leaving: Any = clusters.Leaving("a", parts_of(output))
    rounds: list[Any] = []
    messages = OnRay._messages

    def counted(engine: Any, ray: Any, read: Any) -> Iterator[Any]:
        rounds.append(read)
        return messages(engine, ray, read)

    monkeypatch.setattr(OnRay, "_messages", counted)
    report = score_files(leaving, source, output, engine="ray", ray=TWO)
    assert (report.documents, report.resumed_documents) == (150, 0)
    assert len(rounds) == 2
    score_files(leaving, source, tmp_path / "local.parquet")
    assert output.read_bytes() == (tmp_path / "local.parquet").read_bytes()


def test_a_model_is_loaded_anew_by_its_name(tiny_lm_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_lm_dir.parent)
    scorer = Scorer(load(tiny_lm_dir.name, dtype=torch.float64), max_length=32, tokens_per_batch=64)
    make = maker(scorer)
    assert make == Loaded(str(tiny_lm_dir), None, torch.float64, 32, 64, "model"), "from any directory"
    assert make(print, "cpu").fingerprint == scorer.fingerprint
    object.__setattr__(scorer.lm, "name", "org/name@step80")
    assert maker(scorer) == Loaded("org/name", "step80", torch.float64, 32, 64, "model")
    stub: Any = Stub("a")
    assert maker(stub) == Sent(stub)


def test_an_error_keeps_its_class_and_tells_where_it_was_raised() -> None:
    try:
        raise InputError("wrong")
    except InputError as error:
        sent = portable(error)
    assert (type(sent), str(sent)) == (InputError, "wrong")
    assert 'raise InputError("wrong")' in "".join(sent.__notes__)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"workers": 0}, "workers: expected 1 or more"),
        ({"workers": (4, 2)}, "the least before the most"),
        ({"workers": (1, 2, 3)}, "or two in a tuple"),
        ({"workers": "4"}, "workers: expected a whole number"),
        ({"cpus_per_worker": 0}, "cpus_per_worker: expected a whole number >= 1"),
        ({"gpus_per_worker": -1}, "gpus_per_worker: expected a number >= 0"),
        ({"gpus_per_worker": 1.5}, "a part of one or whole ones"),
        ({"address": ""}, "address: expected that of a cluster"),
        ({"address": "ray://head:10001"}, "run the job on a machine of the cluster"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        RayOptions(**options)


def test_two_numbers_are_the_bounds_of_autoscaling() -> None:
    assert (RayOptions(workers=3).least, RayOptions(workers=3).most) == (3, 3)
    assert (RayOptions(workers=(2, 8)).least, RayOptions(workers=(2, 8)).most) == (2, 8)
    with pytest.raises(InputTypeError):
        RayOptions(workers=True)


def test_a_cluster_without_room_for_a_worker_is_waited_for_with_a_word(ray_cluster: Any) -> None:
    with pytest.warns(UserWarning, match="no machine of the cluster has the 64 CPUs and 0 GPUs of a worker"):
        warn_of_waiting(ray_cluster, RayOptions(cpus_per_worker=64))
    warn_of_waiting(ray_cluster, TWO)


def test_refusals(
    stub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = jobs.write(tmp_path / "in.jsonl", ["a"])
    with pytest.raises(InputError, match="engine: expected local or ray, got 'spark'"):
        score_files(stub, source, tmp_path / "out.parquet", engine="spark")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="ray: expected none with engine='local'"):
        score_files(stub, source, tmp_path / "out.parquet", ray=TWO)
    command = ["score", str(source), "-o", str(tmp_path / "out.parquet"), "-m", "no-such-model"]
    for options, told in {
        ("--workers", "2"): "workers: only with --engine ray",
        ("--engine", "spark"): "engine: expected local or ray, got 'spark'",
        ("--engine", "ray", "--workers", "many"): "workers: expected a number, or two as MIN:MAX, got 'many'",
        ("--engine", "ray", "--workers", "8:4"): "workers: expected 1 or more, the least before the most",
    }.items():
        assert run([*command, *options]) == 2
        assert capsys.readouterr().err.startswith(f"pyfastlm: error: {told}")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r'ray is not installed; run: pip install "pyfastlm\[ray\]"'):
        score_files(stub, source, tmp_path / "out.parquet", engine="ray")
