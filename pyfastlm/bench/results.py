"""What a run found."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["ours", "peer", "beside"]


@dataclass(frozen=True, slots=True)
class Timing:
    """One contender of a group, in seconds for one call.

    ``role``: "beside" is what does another task, to read the others by: the product without its loss, a copy
    of as many bytes. ``best`` and ``median`` are of ``rounds`` rounds, ``spread`` is their interquartile
    range over the median. ``gflops`` and ``gigabytes`` (a second, of the best round) are there where the
    suite counted them; ``calls``: seconds are of one of several calls.
    """

    name: str
    role: Role
    best: float
    median: float
    spread: float
    rounds: int
    calls: bool = False
    gflops: float | None = None
    gigabytes: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One task, and all who did it."""

    name: str
    timings: tuple[Timing, ...]

    def of(self, role: Role) -> list[Timing]:
        """Those in that role, in the order in which they ran."""
        return [timing for timing in self.timings if timing.role == role]

    @property
    def best_peer(self) -> Timing | None:
        """The fastest peer by its best round; None where there is none."""
        return min(self.of("peer"), key=lambda timing: timing.best, default=None)


@dataclass(frozen=True, slots=True)
class Suite:
    """One file of benchmarks, which took ``seconds``, and ``processor`` seconds of processors.

    ``others`` is the mean number of processors that others kept busy meanwhile, None where the system does
    not tell; ``failed`` and ``skipped`` say what and why.
    """

    name: str
    environment: dict[str, str]
    seconds: float
    processor: float
    others: float | None
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one thread reaches: a product of float32 matrices by torch, a copy between buffers that no cache
    holds (bytes copied a second), and one read from a random place of such a buffer."""

    gflops: float
    gigabytes: float
    miss_ns: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. ``limits`` were measured before the first suite and after the last one."""

    date: str
    seconds: float
    quick: bool
    threads: int
    machine: str
    versions: dict[str, str]
    commit: str
    limits: tuple[Limits, Limits]
    suites: tuple[Suite, ...]

    @property
    def reached(self) -> Limits:
        """The better of both measurements of each limit."""
        first, last = self.limits
        return Limits(
            max(first.gflops, last.gflops),
            max(first.gigabytes, last.gigabytes),
            min(first.miss_ns, last.miss_ns),
        )


def ratio(ours: Timing, peer: Timing) -> tuple[float, float]:
    """By how much ours is faster, by best rounds and by medians; under 1 it is slower."""
    return peer.best / ours.best, peer.median / ours.median
