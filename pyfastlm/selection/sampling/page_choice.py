"""Which pages of each domain are taken: those with the least hashes, in memory that does not grow."""

import hashlib
from array import array

import numpy as np
from numpy.typing import NDArray

FIELDS = [
    ("domain", np.int32),
    ("source", np.int32),
    ("hash", np.uint64),
    ("tie", np.uint64),
    ("row", np.int64),
]
AT_ONCE = 1 << 16  # rows that are collected before they are sorted in
LEAST_ROOM = 1 << 20  # rows


class Choice:
    """Keeps the ``most`` pages of each domain whose keyed hashes are the least; all of them for None.

    Hashes are over domain and text, so the choice depends on ``seed`` and on what the pages are, not on their
    order; equal texts of a domain are one page. 32 bytes for each page that may still be taken, and the names
    of the domains.
    """

    def __init__(self, most: int | None, seed: int) -> None:
        self._most, self._key = most, seed.to_bytes(8, "little", signed=True)
        self.names: dict[str, int] = {}
        self.pages, self.bytes = array("q"), array("q")  # of each domain, all that were seen
        self._kept = np.empty(0, FIELDS)
        self._fresh: list[tuple[int, int, int, int, int]] = []
        self._loose: list[NDArray[np.void]] = []
        self._loose_rows = 0

    def hash(self, domain: str, text: str) -> int:
        """64 bits of a hash of a page, keyed by the seed."""
        name, data = domain.encode(), text.encode()
        digest = hashlib.blake2b(len(name).to_bytes(8, "little"), digest_size=8, key=self._key)
        digest.update(name)
        digest.update(data)
        return int.from_bytes(digest.digest(), "little")

    def add(self, domain: str, text: str, name: str | None, source: int, row: int) -> None:
        """See one page; ``name`` is its id."""
        number = self.names.setdefault(domain, len(self.names))
        if number == len(self.pages):
            self.pages.append(0)
            self.bytes.append(0)
        self.pages[number] += 1
        self.bytes[number] += len(text.encode())
        tie = 0 if name is None else self.hash("id", name)
        self._fresh.append((number, source, self.hash(domain, text), tie, row))
        if len(self._fresh) == AT_ONCE:
            self._loosen()
            if self._loose_rows > max(len(self._kept), LEAST_ROOM):
                self._sort_in()

    def taken(self, pages: int | None, least: int) -> NDArray[np.void]:
        """``pages`` pages (None: all) of each domain that has ``least``: [n] records in the order of rows."""
        self._loosen()
        self._sort_in()
        place, counts = _places(self._kept["domain"])
        good = counts >= least
        if pages is not None:
            good &= place < pages
        chosen = self._kept[good]
        return chosen[np.lexsort((chosen["row"], chosen["source"]))]

    def _loosen(self) -> None:
        if self._fresh:
            self._loose.append(np.array(self._fresh, FIELDS))
            self._loose_rows += len(self._fresh)
            self._fresh = []

    def _sort_in(self) -> None:
        rows = np.concatenate([self._kept, *self._loose])
        rows = rows[np.lexsort([rows[name] for name in ("row", "source", "tie", "hash", "domain")])]
        same = (rows["domain"][1:] == rows["domain"][:-1]) & (rows["hash"][1:] == rows["hash"][:-1])
        rows = rows[np.concatenate([[True], ~same])[: len(rows)]]
        self._kept = rows if self._most is None else rows[_places(rows["domain"])[0] < self._most]
        self._loose, self._loose_rows = [], 0


def _places(domain: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[n] the place of each in its run of equal numbers, and how long that run is."""
    starts = np.flatnonzero(np.concatenate([[True], domain[1:] != domain[:-1]])[: len(domain)])
    lengths = np.diff(np.append(starts, len(domain)))
    return np.arange(len(domain)) - np.repeat(starts, lengths), np.repeat(lengths, lengths)
