"""A progress bar on standard error, for calls that walk a list."""

from collections.abc import Generator, Iterable
from typing import TypeVar

from pyfastlm._require import require

T = TypeVar("T")


def watched(items: Iterable[T], total: int | None, what: str, progress: bool) -> Generator[T, None, None]:
    """``items`` as they come; with ``progress``, also counted on standard error.

    Raises:
        MissingExtra: ``progress`` and rich is not installed.
    """
    if not progress:
        yield from items
        return
    rich = require("rich.progress", "cli")
    console = require("rich.console", "cli").Console(stderr=True)
    columns = (*rich.Progress.get_default_columns(), rich.MofNCompleteColumn())
    with rich.Progress(*columns, console=console) as bar:
        yield from bar.track(items, total=total, description=what)
