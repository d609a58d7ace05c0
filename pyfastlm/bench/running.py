"""The run: limits, each suite in a process of its own, limits again."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyfastlm._machine import machine
from pyfastlm._require import require
from pyfastlm.bench import about
from pyfastlm.bench.load import Load
from pyfastlm.bench.measured import groups, outcomes
from pyfastlm.bench.results import Limits, Report, Suite
from pyfastlm.bench.suites import Plan, chosen, folder_of_clone
from pyfastlm.errors import InputError, Unavailable

THREADS = 1  # figures of one thread are the evidence; suites that compare several say so in their groups
ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(THREADS)
    ),
    "PYFASTLM_NUM_THREADS": str(THREADS),
    "TOKENIZERS_PARALLELISM": "false",
}
ORDERLY = (0, 1, 5)  # codes of pytest: all passed, some failed, none chosen


def run(
    folder: "str | os.PathLike[str] | None" = None,
    *,
    only: Sequence[str] = (),
    quick: bool = False,
    progress: bool = False,
) -> Report:
    """Run the suites ``bench_*.py`` of ``folder``, by default those of the clone, one after the other.

    Args:
        folder: with a file ``suites.toml`` that says what of each suite is run; without it all is.
        only: names of suites, without ``bench_``; all if empty.
        quick: less of each suite, and some suites not at all.
        progress: say on standard error what is going on.

    Raises:
        InputError: there is no clone or no such suite, or ``suites.toml`` is damaged.
        MissingExtra: the extra ``bench`` is not installed.
        Unavailable: the limits of the machine cannot be measured.
    """
    require("pytest_benchmark", "bench")
    require("numba", "bench")
    home = folder_of_clone() if folder is None else Path(folder)
    if not home.is_dir():
        raise InputError(f"suites: {str(home)!r} is not a directory")
    plans = chosen(home, list(only), quick=quick)
    say = _say if progress else _silent
    start = time.perf_counter()
    say(f"limits of the machine; then {len(plans)} suites")
    before = _limits()
    suites = []
    for plan in plans:
        suite = measure_suite(plan, quick=quick)
        suites.append(suite)
        say(told(suite))
    return Report(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        limits=(before, _limits()),
        seconds=time.perf_counter() - start,
        quick=quick,
        threads=THREADS,
        machine=machine(),
        versions=about.versions(),
        commit=about.commit(home),
        suites=tuple(suites),
    )


def told(suite: Suite) -> str:
    """One line about a suite that has run."""
    timings = sum(len(group.timings) for group in suite.groups)
    parts = [f"{timings} measurements in {len(suite.groups)} groups", f"{suite.seconds:.0f} s"]
    parts += [
        f"{len(some)} {what}" for what, some in (("failed", suite.failed), ("skipped", suite.skipped)) if some
    ]
    return f"{suite.name}: {', '.join(parts)}"


def _limits() -> Limits:
    done = subprocess.run(
        [sys.executable, "-m", "pyfastlm.bench.limits"], env=os.environ | ONE_THREAD, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Unavailable(f"the limits of the machine cannot be measured: {_last(done.stderr)}")
    return Limits(**json.loads(done.stdout))


def measure_suite(plan: Plan, *, quick: bool = False) -> Suite:
    """One suite, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="pyfastlm-bench-") as scratch:
        figures, report, log = (Path(scratch, name) for name in ("figures.json", "report.xml", "log"))
        command = [
            sys.executable, "-m", "pytest", str(plan.path.absolute()), "-q", "-p", "no:cacheprovider",
            "--benchmark-only", f"--benchmark-json={figures}", f"--junitxml={report}",
            "-k", (plan.quick or "") if quick else plan.whole,
        ]  # fmt: skip
        load = Load()
        code = _call(command, os.environ | ONE_THREAD | plan.environment, log)
        seconds, processor, others = load.seconds, load.processor, load.others
        failed, skipped = outcomes(report)
        if code not in ORDERLY:
            failed = (*failed, f"pytest ended with code {code}: {_last(log.read_text(errors='replace'))}")
        return Suite(
            plan.name, plan.environment, seconds, processor, others, failed, skipped, groups(figures)
        )


def _call(command: list[str], environment: dict[str, str], log: Path) -> int:
    """The exit code; however this ends, no process is left behind."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()
            raise


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    pass
