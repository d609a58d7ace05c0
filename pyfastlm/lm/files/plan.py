"""How rows are grouped: windows to sort by length in, and in each window parts that are saved one by one.

The grouping depends on the rows and on the token budget alone, never on time, so a second run meets the
same parts and can tell each by the hash of what it holds.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyfastlm.lm.files.readers import Row

LAYOUT = 1  # rises with every change of the grouping or of the format of a part
WINDOW_ROWS = 8192
WINDOW_BYTES = 8 << 20
PART_ROWS = 1024
# About eight full batches of prose: little is lost at a crash, and the last batch, half full, is rare.
PART_BYTES_PER_TOKEN = 32


class Part(NamedTuple):
    """Rows scored and saved together; ``order`` are their places in the window."""

    window: int
    number: int
    order: list[int]
    rows: list[Row]

    @property
    def prefix(self) -> str:
        """Start of the part's file name; its key follows."""
        return f"{self.window:06}-{self.number:05}-"

    def key(self) -> str:
        """A hash over everything that the part's result depends on, besides model and settings."""
        digest = hashlib.blake2b(digest_size=16)
        for place, row in zip(self.order, self.rows, strict=True):
            payload = (row.reason if row.text is None else row.text) or ""
            fields = (str(place), str(row.source), str(row.row), row.id, row.text is None, payload)
            for field in fields:
                # Lengths in front keep neighbouring fields apart.
                data = b"" if field is None else str(field).encode("utf-8", "backslashreplace")
                digest.update(b"%d:" % (-1 if field is None else len(data)))
                digest.update(data)
        return digest.hexdigest()


def prefix_of(name: str) -> str:
    """The :attr:`Part.prefix` in a file name."""
    return name[: name.rindex("-") + 1]


def windows(rows: Iterable[Row], part_bytes: int) -> Iterator[list[Row]]:
    """Cut the stream into windows of bounded rows and bytes, in input order."""
    window: list[Row] = []
    size = 0
    limit = max(WINDOW_BYTES, 4 * part_bytes)
    for row in rows:
        window.append(row)
        size += row.n_bytes
        if len(window) >= WINDOW_ROWS or size >= limit:
            yield window
            window, size = [], 0
    if window:
        yield window


def parts(number: int, window: list[Row], part_bytes: int) -> Iterator[Part]:
    """Cut one window into parts of similar length, longest first (what does not fit fails early)."""
    order = sorted(range(len(window)), key=lambda place: (-window[place].n_bytes, place))
    index, taken, size = 0, 0, 0
    for end, place in enumerate(order, start=1):
        size += window[place].n_bytes
        if size >= part_bytes or end - taken >= PART_ROWS or end == len(order):
            chosen = order[taken:end]
            yield Part(number, index, chosen, [window[i] for i in chosen])
            index, taken, size = index + 1, end, 0


def part_bytes(tokens_per_batch: int) -> int:
    """Text bytes after which a part is full."""
    return PART_BYTES_PER_TOKEN * tokens_per_batch
