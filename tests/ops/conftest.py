"""Tests of Triton kernels without a GPU: a ``test_*_triton.py`` runs under ``TRITON_INTERPRET=1`` in a child.

Triton reads the variable while it is imported, for good: a process that interprets cannot compile, and
every other test (dispatch, torch.compile, the ahead-of-time gate) belongs in one that does not. So the parent
hands the selected tests of such a file to one child pytest and repeats its reports, test by test. Where the
variable is set already, or a GPU is there, they run in place.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from guards import poisoned_buffers

REPORTS = "PYFASTLM_TEST_REPORTS"  # the file into which the child writes its reports
IN_PLACE = os.environ.get("TRITON_INTERPRET") == "1" or torch.cuda.is_available()


def _delegated(item: pytest.Item) -> bool:
    return not IN_PLACE and item.path.name.endswith("_triton.py")


class _Writer:
    """In the child: every report as a line of JSON."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        with open(os.environ[REPORTS], "a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if REPORTS in os.environ:
        config.pluginmanager.register(_Writer(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in filter(_delegated, items):
        item.add_marker(pytest.mark.timeout(0))  # the first one waits for its file; the child times each


class _Child:
    """The one run of all delegated tests of a file."""

    def __init__(self, session: pytest.Session, path: Path) -> None:
        config = session.config
        file = Path(config._tmp_path_factory.mktemp("interpreter"), "reports.jsonl")
        nodes = [item.nodeid for item in session.items if item.path == path]
        command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-m", "", *nodes]
        run = subprocess.run(
            command,
            cwd=config.rootpath,
            env=os.environ | {"TRITON_INTERPRET": "1", REPORTS: str(file)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = run.stdout
        self.reports: dict[str, list[Any]] = defaultdict(list)
        for line in file.read_text("utf-8").splitlines() if file.exists() else ():
            report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
            self.reports[report.nodeid].append(report)

    def reports_of(self, item: pytest.Item) -> list[pytest.TestReport]:
        found = self.reports[item.nodeid]
        if any(report.when == "teardown" for report in found):
            return found
        lost = f"the interpreting child ended before this test did:\n{self.output[-5000:]}"
        return [pytest.TestReport(item.nodeid, item.location, {}, "failed", lost, "call")]


_CHILDREN = pytest.StashKey[dict[Path, _Child]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not _delegated(item):
        return None
    children = item.session.stash.setdefault(_CHILDREN, {})
    if item.path not in children:
        children[item.path] = _Child(item.session, item.path)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in children[item.path].reports_of(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.session._setupstate.teardown_exact(nextitem)  # what the test before it left for this one
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[torch.Tensor, int]]]:
    """Every torch.empty of a kernel is full of NaN and guarded; the buffers and their sizes."""
    yield from poisoned_buffers(monkeypatch)
