"""What the tests of the Ray engine share: a cluster for the session, scorers that go wrong on workers."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from samples import Stub

from pyfastlm.errors import MissingExtra
from pyfastlm.lm import TextScore
from pyfastlm.lm.files import RayOptions
from pyfastlm.lm.files.ray_cluster import connected, loaded

ONE, TWO = RayOptions(workers=1), RayOptions(workers=2)


@contextlib.contextmanager
def local_cluster() -> Iterator[Any]:
    """One machine with room for two workers, which import from here; skips where Ray is not installed."""
    try:
        loaded()
    except MissingExtra as reason:
        pytest.skip(str(reason))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        with connected(TWO) as ray:
            yield ray


@contextlib.contextmanager
def two_machines() -> Iterator[Any]:
    """A cluster of two machines, which are processes of this one, with room for two workers on each."""
    try:
        loaded()
    except MissingExtra as reason:
        pytest.skip(str(reason))
    from ray.cluster_utils import Cluster

    room = {"num_cpus": 2, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**room, "include_dashboard": False})
    try:
        cluster.add_node(**room)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


def workers(cluster: Any) -> list[psutil.Process]:
    """Processes that score."""
    found = [process for node in cluster.list_all_nodes() for process in _raylet(node).children()]
    return [process for process in found if "Worker" in " ".join(process.cmdline())]


def kill_machine(cluster: Any) -> None:
    """The one without the driver, with all that runs on it, at once."""
    raylet = _raylet(cluster.worker_nodes.copy().pop())
    for process in (raylet, *raylet.children(recursive=True)):
        process.kill()


def _raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)


class Changing(Stub):
    """Another model on a worker than in the driver."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {"fingerprint": "of another version"}


class Unloadable(Stub):
    """Cannot be had on a worker."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise FileNotFoundError("no such file: 'weights'")


class Unsendable(Exception):
    """An error that does not survive pickling."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Raising(Stub):
    """Fails on every text."""

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        raise Unsendable("this", "that")


class Slow(Stub):
    """Half a second for a part."""

    tokens_per_batch = 2048

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        time.sleep(0.5)
        return super().rolling(texts)


class Deadly(Stub):
    """One text ends the process."""

    tokens_per_batch = 16

    def __init__(self, name: str, deadly: str) -> None:
        super().__init__(name)
        self.deadly = deadly

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        if self.deadly in texts:
            os._exit(1)
        return super().rolling(texts)


class Leaving(Stub):
    """One worker leaves for good, which Ray takes for intended, as soon as there is a part in ``parts``."""

    tokens_per_batch = 16

    def __init__(self, name: str, parts: Path) -> None:
        super().__init__(name)
        self.parts, self.left = parts, parts.with_suffix(".left")

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        time.sleep(0.1)
        if [*self.parts.glob("*.part")] and not self.left.exists():
            self.left.touch()
            sys.modules["ray"].actor.exit_actor()
        return super().rolling(texts)
