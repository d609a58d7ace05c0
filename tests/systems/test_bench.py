"""The report of the benchmarks: tiny suites that really run, ratios to peers, an earlier report beside it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from markup import Balanced

import pyfastlm
from pyfastlm import bench
from pyfastlm.bench import Group, Limits, Report, Suite, Timing, compare
from pyfastlm.bench.files import as_json
from pyfastlm.bench.running import measure_suite
from pyfastlm.bench.suites import Plan, chosen, folder_of_clone
from pyfastlm.cli.app import run as cli_run
from pyfastlm.errors import InputError

pytest.importorskip("pytest_benchmark")
Output = pytest.CaptureFixture[str]
ROOT = Path(pyfastlm.__file__).parents[1]

SLEEPS = """
import os, time
import pytest

SLOWER = float(os.environ.get("SLOWER", "1"))
OURS = SLOWER * float(os.environ.get("OURS", "1"))
SECONDS = {"pyfastlm": 0.01 * OURS, "peer <b>": 0.02 * SLOWER, "other|peer": 0.04 * SLOWER, "bound_x": 0.005}

@pytest.mark.parametrize("peer", SECONDS)
def test_sleep(benchmark, peer):
    benchmark.group = "sleep"
    benchmark.pedantic(time.sleep, (SECONDS[peer],), rounds=5)
    benchmark.extra_info["gflops"] = 1.0

@pytest.mark.parametrize("threads", [1, 2])
def test_threads(benchmark, threads):
    benchmark.group = "sleep"
    benchmark.extra_info["peer"] = "pyfastlm_batch"
    benchmark.extra_info["calls"] = 4
    benchmark.pedantic(time.sleep, (0.02 * threads,), rounds=5)

def test_bare(benchmark):
    benchmark.group = "sleep"
    benchmark.pedantic(time.sleep, (0.001,), rounds=5)

@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("peer", ["pyfastlm", "theirs"])
def test_turns(benchmark, peer, turn):
    benchmark.group = "in turns"
    benchmark.pedantic(time.sleep, (0.001,), rounds=1)

def test_measures_nothing():
    raise AssertionError("only what is timed runs")
"""
FAILS = """
import pytest

def test_unequal(benchmark):
    assert 1 == 2, "results differ"

def test_without_data(benchmark):
    pytest.skip("needs data")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "suites"
    made.mkdir()
    (made / "bench_sleeps.py").write_text(SLEEPS)
    return made


def sleeps(folder: Path) -> Suite:
    return measure_suite(Plan(folder / "bench_sleeps.py"))


def report(*suites: Suite) -> Report:
    limits = Limits(80.0, 10.0, 100.0)
    return Report("2026-12-01", 1.0, False, 1, "a machine", {"pyfastlm": "0"}, "", (limits, limits), suites)


def timing(name: str, best: float, role: str = "peer") -> Timing:
    return Timing(name, "ours" if name.startswith("pyfastlm") else role, best, 1.1 * best, 0.1, 5)


def of(ours: float, peer: float, other: float = 9.0) -> Report:
    group = Group("task", (timing("pyfastlm", ours), timing("peer", peer), timing("other", other)))
    return report(Suite("suite", {}, 1.0, 1.0, 0.0, (), (), (group,)))


def test_a_suite_that_runs(folder: Path) -> None:
    suite = sleeps(folder)
    assert (suite.failed, suite.skipped) == ((), ())
    assert suite.seconds > suite.processor > 0
    assert [group.name for group in suite.groups] == ["sleep", "in turns"]
    sleep, turns = suite.groups
    assert [one.name for one in sleep.of("ours")] == [
        "pyfastlm",
        "pyfastlm_batch, threads 1",
        "pyfastlm_batch, threads 2",
    ]
    assert [one.name for one in sleep.of("peer")] == ["peer <b>", "other|peer"]
    assert [one.name for one in sleep.of("beside")] == ["bound_x", "bare"]
    assert sleep.best_peer is not None
    assert sleep.best_peer.name == "peer <b>"
    ours, one, two = sleep.of("ours")
    assert 0.01 <= ours.best < 0.02 <= sleep.best_peer.best < 0.04
    assert ours.best <= ours.median
    assert (ours.rounds, ours.gflops, ours.calls) == (5, 1.0, False)
    assert one.calls
    assert 0.005 <= one.best < 0.01 <= two.best  # of one call out of four
    assert [(one.name, one.rounds) for one in turns.timings] == [("pyfastlm", 3), ("theirs", 3)]


def test_what_fails_is_told(folder: Path) -> None:
    (folder / "bench_fails.py").write_text(FAILS)
    (folder / "bench_broken.py").write_text("import no_such_module")
    suite = measure_suite(Plan(folder / "bench_fails.py"))
    assert suite.groups == ()
    assert len(suite.failed) == len(suite.skipped) == 1
    assert "test_unequal" in suite.failed[0]
    assert "results differ" in suite.failed[0]
    assert "needs data" in suite.skipped[0]
    broken = measure_suite(Plan(folder / "bench_broken.py"))
    assert broken.groups == ()
    assert any("no_such_module" in line for line in broken.failed)


def test_a_slower_machine_is_no_regression(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Really slept: ours and the peers three times as long cancel; ours alone does not."""
    before = report(sleeps(folder))
    monkeypatch.setenv("SLOWER", "3")
    slow = compare(before, report(sleeps(folder)), tolerance=0.3)
    assert [change.peer for change in slow.changes] == ["peer <b>"] * 3 + ["theirs"]
    assert "pyfastlm" not in {change.ours for change in slow.regressions}
    monkeypatch.setenv("OURS", "2")
    worse = compare(before, report(sleeps(folder)), tolerance=0.3)
    (found,) = [one for one in worse.regressions if one.group == "sleep"]
    assert (found.ours, found.peer) == ("pyfastlm", "peer <b>")
    assert found.factor == pytest.approx(0.5, rel=0.2)


def test_regressions_go_by_ratio_and_tolerance() -> None:
    before = of(1.0, 2.0)
    assert compare(before, of(10.0, 20.0)).regressions == []
    assert compare(before, of(1.09, 2.0)).regressions == []
    (worse,) = compare(before, of(1.3, 2.0)).regressions
    assert (worse.before, worse.now) == ((2.0, 2.0), pytest.approx((2 / 1.3, 2 / 1.3)))
    assert compare(before, of(1.3, 2.0), tolerance=0.3).regressions == []
    (gain,) = compare(before, of(0.5, 2.0)).gains
    assert gain.factor == pytest.approx(2.0)
    # The peer is that of the earlier report, also where another one is faster now.
    (change,) = compare(before, of(1.0, 2.0, other=0.1)).changes
    assert (change.peer, change.factor) == ("peer", 1.0)


def test_one_bad_round_is_no_regression() -> None:
    """Medians rose and best rounds did not: the machine was busy."""
    before = of(1.0, 2.0)
    (suite,) = before.suites
    (group,) = suite.groups
    noisy = dataclasses.replace(group.timings[0], median=5.0)
    now = report(dataclasses.replace(suite, groups=(Group("task", (noisy, *group.timings[1:])),)))
    assert compare(before, now).regressions == []


def test_what_cannot_be_compared_is_told() -> None:
    before, now = of(1.0, 2.0), of(9.0, 2.0)
    (suite,) = now.suites
    other = report(dataclasses.replace(suite, environment={"SIZE": "1"}))
    assert compare(before, other).changes == ()
    assert "other inputs" in compare(before, other).notes[0]
    assert "another machine" in compare(before, dataclasses.replace(now, machine="b")).notes[0]
    assert "not in the earlier" in compare(report(), now).notes[0]
    gone = report(dataclasses.replace(suite, groups=()))
    assert compare(before, gone).notes == ("suite: no longer measured: task",)


@pytest.mark.parametrize("tolerance", [-0.1, 1.5, float("nan")])
def test_tolerance(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance: expected a number from 0 to 1"):
        compare(of(1.0, 2.0), of(1.0, 2.0), tolerance=tolerance)


def test_written_and_read_again(folder: Path, tmp_path: Path) -> None:
    made = report(sleeps(folder))
    paths = bench.write(made, tmp_path / "out", comparison=compare(made, made))
    assert [path.name for path in paths] == ["bench.json", "bench.md", "bench.html"]
    assert bench.read(paths[0]) == made
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    markdown = paths[1].read_text()
    assert "### sleeps" in markdown
    assert "peer \\<b\\>" in markdown
    assert "other\\|peer" in markdown
    page = paths[2].read_text()
    Balanced(page)
    assert "peer &lt;b&gt;" in page
    assert "100 ns" in page
    assert "<b>" not in page
    assert "<script" not in page


def test_a_damaged_earlier_report(tmp_path: Path, folder: Path, capsys: Output) -> None:
    good = json.loads(as_json(of(1.0, 2.0)))
    nothing = json.loads(as_json(of(1.0, 2.0)))
    nothing["suites"][0]["groups"][0]["timings"][0]["best"] = 0
    bad = {
        "empty": "", "cut": as_json(of(1.0, 2.0))[:300], "list": "[]", "other": '{"format": "x"}',
        "deep": "[" * 100_000,
        "missing": json.dumps({key: value for key, value in good.items() if key != "suites"}),
        "strange": json.dumps({**good, "suites": [1]}),
        "zero": json.dumps(nothing),
        "text": json.dumps({**good, "limits": "ab"}),
    }  # fmt: skip
    path = tmp_path / "bench.json"
    for content in [*(text.encode() for text in bad.values()), b"\xff\xfe"]:
        path.write_bytes(content)
        assert cli_run(["bench", "--suites", str(folder), "--against", str(path), "-o", str(tmp_path)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("pyfastlm: error: against: ")
        assert len(told.err.splitlines()) == 1
    assert cli_run(["bench", "--against", str(tmp_path / "none.json")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_bad_input_is_one_line(
    tmp_path: Path, folder: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for arguments, line in [
        (["--only", "sleeps,nothing"], "only: there is no suite 'nothing'; expected some of sleeps"),
        (["--only", "sleeps", "--quick"], "only: the suite 'sleeps' has nothing quick"),
        (["--tolerance", "2"], "tolerance: expected a number from 0 to 1, got 2.0"),
        (["--suites", str(tmp_path)], "has no files bench_*.py"),
        (["--suites", str(tmp_path / "none")], "is not a directory"),
        (["-o", str(tmp_path / "file")], "output: cannot write to"),
    ]:
        command = ["bench", "--suites", str(folder), "-o", str(tmp_path / "out"), *arguments]
        assert cli_run(command) == 2
        told = capsys.readouterr().err
        assert line in told
        assert len(told.splitlines()) == 1
    monkeypatch.setitem(sys.modules, "pytest_benchmark", None)
    assert cli_run(["bench", "--suites", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert 'pip install "pyfastlm[bench]"' in capsys.readouterr().err


def test_outside_of_a_clone(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyfastlm, "__file__", str(tmp_path / "site-packages" / "pyfastlm" / "__init__.py"))
    assert cli_run(["bench", "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "clone the repository" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[sleeps", "is not TOML"),
        ("[other]", "names 'other', which has no file"),
        ("[sleeps]\nslow = ''", "unexpected keyword argument 'slow'"),
        ("[sleeps]\nquick = 1", "sleeps: expected texts"),
        ("[sleeps]\nenvironment = { A = 1 }", "sleeps: expected texts"),
        ("sleeps = 1", "sleeps: expected a table"),
    ],
)
def test_a_damaged_table_of_suites(folder: Path, content: str, message: str) -> None:
    (folder / "suites.toml").write_text(content)
    with pytest.raises(InputError, match=message):
        chosen(folder, [], quick=False)


def test_what_a_run_takes(folder: Path) -> None:
    (folder / "bench_other.py").touch()
    (folder / "bench_never.py").touch()
    table = '[sleeps]\nquick = "turns"\nenvironment = { A = "1" }\n[never]\nleft_out = "no peers"\n'
    (folder / "suites.toml").write_text(table)
    assert [plan.name for plan in chosen(folder, [], quick=False)] == ["other", "sleeps"]
    (quick,) = chosen(folder, [], quick=True)
    assert (quick.name, quick.quick, quick.environment) == ("sleeps", "turns", {"A": "1"})
    assert [group.name for group in measure_suite(quick, quick=True).groups] == ["in turns"]
    with pytest.raises(InputError, match="'never' is left out: no peers"):
        chosen(folder, ["never"], quick=False)


def test_the_table_of_this_clone() -> None:
    quick, whole = (chosen(folder_of_clone(), [], quick=quick) for quick in (True, False))
    assert {plan.name for plan in quick} < {plan.name for plan in whole}
    assert {"compact", "linear", "linear_logp", "varlen_attention"} <= {plan.name for plan in quick}


MAIN = "from pyfastlm.cli import main; main()"


@pytest.mark.slow
def test_the_command(folder: Path, tmp_path: Path) -> None:
    """To its end, and once more beside the first report, with ours twice as slow."""
    command = [sys.executable, "-c", MAIN, "bench", "--suites", str(folder)]
    first = subprocess.run(
        [*command, "-o", str(tmp_path / "first"), "--json"], capture_output=True, text=True, check=False
    )
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert json.loads((tmp_path / "first" / "bench.json").read_text()) == found
    assert found["threads"] == 1
    assert found["versions"]["pyfastlm"] == pyfastlm.__version__
    for limits in found["limits"]:
        assert limits["gflops"] > 1
        assert limits["gigabytes"] > 0.5
        assert 5 < limits["miss_ns"] < 5000
    assert "sleeps: 9 measurements in 2 groups" in first.stderr
    second = subprocess.run(
        [*command, "-o", str(tmp_path / "second"), "--against", str(tmp_path / "first" / "bench.json")],
        capture_output=True, text=True, check=False, env=os.environ | {"OURS": "2"},
    )  # fmt: skip
    assert second.returncode == 1
    assert "Worse than in the earlier report" in second.stdout
    assert "Worse than in the earlier report" in (tmp_path / "second" / "bench.md").read_text()


@pytest.mark.slow
def test_interrupted_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """In the middle of a suite, which ends as well."""
    started = tmp_path / "started"
    (folder / "bench_sleeps.py").write_text(
        f"import os, pathlib, time\ndef test_long(benchmark):\n"
        f"    pathlib.Path({str(started)!r}).write_text(str(os.getpid()))\n    benchmark(time.sleep, 100)\n"
    )
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "bench", "--suites", str(folder), "-o", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not (started.exists() and started.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    written, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert written == ""
    assert said.splitlines()[-1].startswith("pyfastlm: error: interrupted")
    assert list(out.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
