"""Workers, a machine and the driver die by SIGKILL: the table is the local engine's, each document once."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clusters
import jobs
import pytest

from pyfastlm.lm.files import score_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LINES = 3000


@pytest.fixture
def machines() -> Iterator[Any]:
    """Two machines with room for two workers each, which are processes of this one."""
    with clusters.two_machines() as cluster:
        yield cluster


class Job:
    """``pyfastlm score`` on four workers, as a process of its own, beside what the local engine made."""

    def __init__(self, lm: Path, folder: Path, address: str) -> None:
        source = jobs.write(folder / "in.jsonl.gz", jobs.documents(LINES))
        (folder / "in.txt").write_bytes(b"good\n\xff\n\nalso good\n")
        self.inputs = [source, folder / "in.txt"]
        self.output, self.local = folder / "out.parquet", folder / "local.parquet"
        with jobs.one_thread():
            score_files(jobs.tiny_scorer(lm), self.inputs, self.local)
        self._command = [*self.inputs, "-o", self.output, "-m", lm, "--tokens-per-batch", "64"]
        self._command += ["--engine", "ray", "--address", address, "--workers", "4", "--json"]
        self.driver = jobs.start(*self._command)

    def restart(self) -> None:
        """The same command once more."""
        self.driver = jobs.start(*self._command)

    def wait_for(self, parts: int) -> None:
        """Until so many more parts are saved, in the middle of the job."""
        before = self.saved()
        while self.saved() < before + parts:
            assert self.driver.poll() is None, self.driver.communicate()
            time.sleep(0.01)

    def saved(self) -> int:
        """Parts on the disk."""
        return len(list(self.output.with_name(self.output.name + ".parts").glob("*.part")))

    def finish(self) -> dict[str, Any]:
        """What the command prints when it ends; its table has to be the local engine's."""
        out, err = self.driver.communicate(timeout=600)
        assert self.driver.returncode == 0, err
        assert jobs.rows(self.output) == jobs.rows(self.local)
        assert self.output.read_bytes() == self.local.read_bytes()
        assert jobs.rejects(self.output) == jobs.rejects(self.local)
        report: dict[str, Any] = json.loads(out)
        assert report["documents"] == LINES + 2
        return report


def test_a_worker_and_a_machine_are_killed(machines: Any, tiny_lm_dir: Path, tmp_path: Path) -> None:
    job = Job(tiny_lm_dir, tmp_path, machines.address)
    job.wait_for(10)
    assert len(clusters.workers(machines)) == 4
    os.kill(clusters.workers(machines)[0].pid, signal.SIGKILL)
    job.wait_for(20)
    clusters.kill_machine(machines)
    job.wait_for(20)
    report = job.finish()
    assert report["resumed_documents"] == 0, "the driver lived through it"


def test_the_driver_is_killed_and_started_again(machines: Any, tiny_lm_dir: Path, tmp_path: Path) -> None:
    job = Job(tiny_lm_dir, tmp_path, machines.address)
    for _ in range(2):
        job.wait_for(20)
        job.driver.kill()
        job.driver.communicate(timeout=60)
        assert not job.output.exists()
        job.restart()
    assert 0 < job.finish()["resumed_documents"] < LINES
