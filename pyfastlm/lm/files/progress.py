"""How far a job is: a plain record for callbacks, and a bar on standard error for people."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyfastlm._require import require
from pyfastlm.lm.files.report import Totals

LINE_SECONDS = 30.0  # between lines where standard error is a file and a bar would only smear


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a job after a part: counts so far, and input bytes (as stored; ``bytes_total`` 0 if unknown).

    Rates cover what this run scored; ``seconds_left`` goes by input bytes, None while nothing is known.
    """

    documents: int
    rejected: int
    tokens: int
    resumed_documents: int
    bytes_done: int
    bytes_total: int
    seconds: float
    documents_per_second: float
    tokens_per_second: float
    seconds_left: float | None


Callback = Callable[[Progress], None]


class Tracker:
    """Turns totals and a position into :class:`Progress`; parts taken over do not count as speed."""

    def __init__(self, totals: Totals, bytes_total: int) -> None:
        self.resumed_documents = self.resumed_tokens = 0
        self._totals = totals
        self._bytes_total = bytes_total
        self._bytes_scored = self._bytes_done = 0
        self._started = time.perf_counter()

    def update(self, bytes_done: int, part: tuple[int, int], *, resumed: bool) -> Progress:
        """Note one more ``part`` of so many documents and tokens; ``resumed`` if an earlier run scored it."""
        advanced, self._bytes_done = bytes_done - self._bytes_done, bytes_done
        if resumed:
            self.resumed_documents += part[0]
            self.resumed_tokens += part[1]
        else:
            self._bytes_scored += advanced
        seconds = time.perf_counter() - self._started
        left = max(self._bytes_total - bytes_done, 0)
        known = self._bytes_total and self._bytes_scored
        return Progress(
            documents=self._totals.documents,
            rejected=self._totals.rejected,
            tokens=self._totals.tokens,
            resumed_documents=self.resumed_documents,
            bytes_done=bytes_done,
            bytes_total=self._bytes_total,
            seconds=seconds,
            documents_per_second=(self._totals.documents - self.resumed_documents) / max(seconds, 1e-9),
            tokens_per_second=(self._totals.tokens - self.resumed_tokens) / max(seconds, 1e-9),
            seconds_left=left * seconds / self._bytes_scored if known else None,
        )


@contextlib.contextmanager
def reporter(progress: bool | Callback) -> Iterator[Callback]:
    """The callback that ``progress`` asks for: itself, a bar (or lines) on standard error, or nothing.

    Raises:
        MissingExtra: ``progress=True`` and rich is not installed.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda state: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextlib.contextmanager
def _bar() -> Iterator[Callback]:
    rich = require("rich.progress", "cli")
    console = require("rich.console", "cli").Console(stderr=True)
    columns = (
        rich.SpinnerColumn(),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("{task.description}"),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task("reading", total=None)

        def show(state: Progress) -> None:
            bar.update(
                task,
                total=state.bytes_total or None,
                completed=state.bytes_done,
                description=_describe(state),
            )

        yield show


def _lines() -> Callback:
    last = time.perf_counter()

    def show(state: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= LINE_SECONDS:
            last = now
            share = f"{state.bytes_done / state.bytes_total:.1%} " if state.bytes_total else ""
            print(f"{share}{_describe(state)}", file=sys.stderr, flush=True)

    return show


def _describe(state: Progress) -> str:
    rejected = f", {state.rejected:,} rejected" if state.rejected else ""
    resumed = f" ({state.resumed_documents:,} from before)" if state.resumed_documents else ""
    left = f", {_clock(state.seconds_left)} left" if state.seconds_left is not None else ""
    return (
        f"{state.documents:,} documents{resumed}{rejected}, {state.documents_per_second:,.1f}/s, "
        f"{state.tokens_per_second:,.0f} tokens/s{left}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
