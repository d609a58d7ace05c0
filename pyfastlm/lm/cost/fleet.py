"""Many workers, some of which die: how long, how much is done twice, and how many bytes travel."""

import heapq
from dataclasses import dataclass

import numpy as np

from pyfastlm.errors import InputError


@dataclass(frozen=True)
class Fleet:
    """Machines that score parts of the texts, one part at a time each, and begin a part anew when they die.

    Attributes:
        workers: how many at once.
        start: seconds until one can work, without fetching the model.
        failures: expected for one worker in an hour.
        link: bytes a second that the store of texts and weights gives to all workers together.
    """

    workers: int
    start: float = 30.0
    failures: float = 0.01
    link: float = 1.25e9

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers: expected at least 1, got {self.workers}")
        for name in ("start", "failures"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name}: expected a number >= 0, got {getattr(self, name)}")
        if not self.link > 0:
            raise InputError(f"link: expected a number > 0, got {self.link}")


@dataclass(frozen=True)
class Outcome:
    """One simulated run.

    Attributes:
        seconds: from the start of the first worker to the end of the last part.
        busy: share of all workers' time that went into parts which were kept.
        lost: share that went into parts which were not.
        failures: how many workers died.
        read: bytes of texts and weights that were fetched, again after each death.
        bound: ``"workers"``, or ``"link"`` where the store could not have given the bytes sooner.
    """

    seconds: float
    busy: float
    lost: float
    failures: int
    read: float
    bound: str


def simulate(
    fleet: Fleet,
    parts: int,
    seconds: float,
    *,
    part_bytes: float,
    weight_bytes: float,
    spread: float,
    seed: int,
) -> Outcome:
    """Let the workers take parts in turn until all are done.

    Args:
        fleet: the workers.
        parts: how many there are; the time grows with their number (a million: some seconds).
        seconds: of a part, on average.
        part_bytes: of the texts of a part.
        weight_bytes: of the model, fetched by every worker that starts.
        spread: standard deviation of a part's time over its mean; times are log-normal.
        seed: of times and deaths.

    The link is shared by all from the beginning: what it can carry is compared with what was read, and the
    larger of both times counts.

    Raises:
        InputError: a number is out of range.
    """
    if parts < 1 or not seconds > 0:
        raise InputError(f"parts, seconds: expected at least 1 and > 0, got {parts} and {seconds}")
    if not spread >= 0:
        raise InputError(f"spread: expected a number >= 0, got {spread}")
    random = np.random.default_rng(seed)
    sigma = np.sqrt(np.log1p(spread**2))
    times = random.lognormal(np.log(seconds) - sigma**2 / 2, sigma, parts)
    waiting = fleet.start + weight_bytes / fleet.link * fleet.workers  # all fetch the weights at once
    again = fleet.start + weight_bytes / fleet.link
    free = [waiting] * min(fleet.workers, parts)
    deaths, lost, end = 0, 0.0, 0.0
    for time in times:
        now = heapq.heappop(free)
        while fleet.failures and (life := random.exponential(3600 / fleet.failures)) < time:
            deaths += 1
            lost += life
            now += life + again
        heapq.heappush(free, now + time)
        end = max(end, now + time)
    read = parts * part_bytes + (fleet.workers + deaths) * weight_bytes + deaths * part_bytes
    carried = read / fleet.link
    total = max(end, carried)
    whole = total * fleet.workers
    bound = "link" if carried > end else "workers"
    return Outcome(total, float(times.sum()) / whole, lost / whole, deaths, read, bound)
