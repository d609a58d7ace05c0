"""A limit on requests by the minute, over all threads."""

import threading
import time


class Pace:
    """Lets requests start at equal distances.

    Args:
        per_minute: how many; None for no limit.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._distance = 0.0 if per_minute is None else 60.0 / per_minute
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may start."""
        if not self._distance:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + self._distance
        time.sleep(start - now)
