"""The text section of a new index: documents as they come, then the unit that parts them."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pyfastlm.memorization.corpus.format import TEXT_OFFSET, WIDTHS
from pyfastlm.memorization.corpus.units import LARGEST_ID, Array

BLOCK = 1 << 20  # units that are written at a time


class Spool:
    """Writes units to ``file`` from the first section on.

    What parts documents is known when all have been seen: a unit that none of them has. Until then the
    largest one stands there.
    """

    def __init__(self, file: BinaryIO, path: Path, dtype: Any, *, separated: bool) -> None:
        self.starts = array("Q", [0])
        self.separator: int | None = None
        self.given = self.width = int(np.dtype(dtype).itemsize)
        self.largest = 0  # of the units
        self.units = 0
        self._file, self._path, self._separated = file, path, separated
        self._between = np.full(1, np.iinfo(dtype).max, dtype)
        self._seen = np.zeros(1 << 8 * min(self.width, 2), np.int64) if self.width < 4 else None
        self._waiting: list[Array] = []
        self._waiting_units = self._waiting_ends = 0
        file.seek(TEXT_OFFSET)

    def add(self, document: Array) -> None:
        """The next one, of whole numbers that the spool's dtype has."""
        for begin in range(0, len(document), BLOCK):
            self._push(document[begin : begin + BLOCK].astype(self._between.dtype, copy=False))
        if self._separated:
            self._push(self._between)
            self._waiting_ends += 1
        self.starts.append(self.units)

    def finish(self) -> None:
        """Put the separator between the documents."""
        self._flush()
        self._file.flush()
        if not self._separated:
            return
        free = np.array([LARGEST_ID + 1]) if self._seen is None else np.flatnonzero(self._seen == 0)
        if not len(free):
            self.separator = 1 << 8 * self.width
            self._widen()
        else:
            self.separator = int(free[-1])
            if self.separator == int(self._between[0]):
                return
        text = np.memmap(self._path, WIDTHS[self.width], "r+", offset=TEXT_OFFSET, shape=(self.units,))
        for ends in self._blocks_of_ends():
            text[ends] = self.separator
        text.flush()

    def _push(self, units: Array) -> None:
        self._waiting.append(units)
        self._waiting_units += len(units)
        self.units += len(units)
        if self._waiting_units >= BLOCK or len(self._waiting) >= BLOCK // 4:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        block = np.concatenate(self._waiting)
        if self._seen is not None:
            self._seen += np.bincount(block, minlength=len(self._seen))
            self._seen[self._between[0]] -= self._waiting_ends
            self.largest = int(np.flatnonzero(self._seen)[-1]) if self._seen.any() else 0
        else:
            ids = block[block <= LARGEST_ID]
            self.largest = max(self.largest, int(ids.max(initial=0)))
        self._file.write(block.data)
        self._waiting, self._waiting_units, self._waiting_ends = [], 0, 0

    def _widen(self) -> None:
        """Twice the bytes for each unit, in place, from the last one on."""
        with open(self._path, "r+b") as file:
            for end in range(self.units, 0, -BLOCK):
                begin = max(0, end - BLOCK)
                file.seek(TEXT_OFFSET + begin * self.width)
                block = np.frombuffer(file.read((end - begin) * self.width), WIDTHS[self.width])
                file.seek(TEXT_OFFSET + 2 * begin * self.width)
                file.write(block.astype(WIDTHS[2 * self.width]).data)
        self.width *= 2

    def _blocks_of_ends(self) -> Iterator[Array]:
        starts = np.frombuffer(self.starts, np.uint64)
        for begin in range(1, len(starts), BLOCK):
            yield starts[begin : begin + BLOCK].astype(np.int64) - 1
