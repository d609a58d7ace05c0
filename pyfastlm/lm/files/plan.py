"""How rows are grouped into the parts that are scored and saved one by one.

The grouping depends on the rows and on the token budget alone, never on time, so a second run meets the
same parts and can tell each by the hash of what it holds. Sorting by length would gain nothing: the scorer
packs without padding.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyfastlm.lm.files.readers import Row

LAYOUT = 1  # rises with every change of the grouping or of the format of a part
PART_ROWS = 1024
# About eight full batches of prose: a crash costs little, and a last batch half full is rare.
PART_BYTES_PER_TOKEN = 32


class Part(NamedTuple):
    """Consecutive rows that are scored and saved together."""

    number: int
    rows: list[Row]

    @property
    def prefix(self) -> str:
        """Start of the part's file name; its key follows."""
        return f"{self.number:08}-"

    def key(self) -> str:
        """A hash over everything that the part's result depends on, besides model and settings."""
        digest = hashlib.blake2b(digest_size=16)
        for row in self.rows:
            payload = row.reason if row.text is None else row.text
            for field in (str(row.source), str(row.row), row.id, str(row.text is None), payload):
                # Lengths in front keep neighbouring fields apart.
                data = b"" if field is None else field.encode("utf-8", "backslashreplace")
                digest.update(b"%d:" % (-1 if field is None else len(data)))
                digest.update(data)
        return digest.hexdigest()


def prefix_of(name: str) -> str:
    """The :attr:`Part.prefix` in a file name."""
    return name[: name.rindex("-") + 1]


def parts(rows: Iterable[Row], tokens_per_batch: int) -> Iterator[Part]:
    """Cut the stream after so many rows or bytes of text, in input order."""
    limit = PART_BYTES_PER_TOKEN * tokens_per_batch
    number, held, size = 0, list[Row](), 0
    for row in rows:
        held.append(row)
        size += row.n_bytes
        if len(held) >= PART_ROWS or size >= limit:
            yield Part(number, held)
            number, held, size = number + 1, [], 0
    if held:
        yield Part(number, held)
