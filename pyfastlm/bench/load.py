"""Whether others were at work while something was measured."""

import os
import time
from pathlib import Path


class Load:
    """Counts from where it is made; our children count once they ended."""

    def __init__(self) -> None:
        self._wall, self._own, self._all = time.perf_counter(), _own(), _all()

    @property
    def seconds(self) -> float:
        """That have passed."""
        return time.perf_counter() - self._wall

    @property
    def processor(self) -> float:
        """Seconds of the processors that we took."""
        return _own() - self._own

    @property
    def others(self) -> float | None:
        """Mean number of processors open to us that others kept busy; None where the system does not tell."""
        now = _all()
        if self._all is None or now is None:
            return None
        return max(0.0, now - self._all - self.processor) / max(self.seconds, 1e-9)


def _own() -> float:
    """Seconds of processor time of this process and of its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _all() -> float | None:
    """Seconds for which the processors open to us have worked since the start of the machine."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    open_to_us = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    rows = [line.split() for line in lines if line.partition(" ")[0] in open_to_us]
    # user, nice, system; then idle and waiting; then interrupts of both kinds and what a host took.
    ticks = sum(int(row[column]) for row in rows for column in (1, 2, 3, 6, 7, 8))
    return ticks / os.sysconf("SC_CLK_TCK")
