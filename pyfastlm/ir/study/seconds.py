"""How long something took: by the clock on the wall, and of the processor."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Seconds(NamedTuple):
    """On the wall, where others on the machine count, and of all cores of this process."""

    wall: float = 0.0
    processor: float = 0.0


class Stopwatch:
    """Adds up the blocks that it is entered for."""

    def __init__(self) -> None:
        self.seconds = Seconds()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count the block."""
        wall, processor = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds = total(
                [self.seconds, Seconds(time.perf_counter() - wall, time.process_time() - processor)]
            )


def total(parts: Iterable[Seconds]) -> Seconds:
    """The sum of some."""
    walls, processors = zip(Seconds(), *parts, strict=True)
    return Seconds(sum(walls), sum(processors))
