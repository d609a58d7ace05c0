"""An open file of a corpus index: checked once, then read in place."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm import _native
from pyfastlm.errors import InputError
from pyfastlm.memorization.corpus import format as layout
from pyfastlm.memorization.corpus.format import SECTIONS, WIDTHS, aligned
from pyfastlm.memorization.corpus.units import Array

DAMAGED = "the index is damaged: its documents begin where they cannot"


class Mapped:
    """The sections of the file at ``path`` as arrays.

    Attributes:
        header: what the file says about itself.
        text: units, those between documents too.
        starts: uint64 [documents + 1], where each document begins in ``text``.
        parts: which of the text's suffixes each suffix array has.
        suffixes: for each part, uint32 [count].
    """

    def __init__(self, path: Path, *, verify: bool, mmap: bool) -> None:
        self.path = path
        try:
            data = _read(path, mmap)
            self.header = layout.unpack(data)
            sections = dict(zip(SECTIONS, self.header.sections, strict=True))
            for name, section in sections.items():
                whole = data[section.offset : section.offset + section.size]
                if verify and layout.checksum(whole) != section.checksum:
                    raise InputError(f"section {name} is damaged")
            at = {name: section.offset for name, section in sections.items()}
            self._data = data
            self.text = self._array(at["text"], WIDTHS[self.header.width], self.header.units)
            self.starts = self._array(at["starts"], np.uint64, self.header.documents + 1)
            table = self._array(at["parts"], np.uint64, 4 * self.header.parts).reshape(-1, 4)
            self.parts = layout.check_parts(self.header, table)
        except InputError as error:
            name = layout.name_of(path)
            raise InputError(f"path: {name} is not a whole corpus index: {error}") from None
        self.suffixes: list[Array] = []
        self._keys: list[Array] = []
        for part in self.parts:
            self.suffixes.append(self._array(at["suffixes"], np.uint32, part.suffixes))
            self._keys.append(self._array(at["keys"], np.uint64, part.keys))
            at["suffixes"] += aligned(4 * part.suffixes)
            at["keys"] += aligned(8 * part.keys)

    @property
    def gap(self) -> int:
        """Units between documents."""
        return int(self.header.separator is not None)

    @property
    def units(self) -> int:
        """Of all documents."""
        return self.header.units - self.gap * self.header.documents

    def searcher(self) -> "_native.SuffixSearch":
        """What searches these arrays, which must outlive it."""
        search = _native.SuffixSearch(self.header.width, self.header.separator)
        for part, suffixes, keys in zip(self.parts, self.suffixes, self._keys, strict=True):
            text = self.text[part.begin : part.limit]
            search.add(text.ctypes.data, len(text), suffixes.ctypes.data, part.suffixes, keys.ctypes.data)
        return search

    def document(self, number: int) -> Array:
        """The units of a document, in the dtype that they came in."""
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise InputError(f"document: expected a whole number, got {number!r}")
        if not 0 <= number < self.header.documents:
            raise InputError(f"document: expected 0 to {self.header.documents - 1}, got {number}")
        begin, end = int(self.starts[number]), int(self.starts[number + 1]) - self.gap
        if not 0 <= begin <= end <= self.header.units:
            raise InputError(DAMAGED)
        return self.text[begin:end].astype(WIDTHS[self.header.given])

    def places(self, ranges: Sequence[tuple[int, int]], limit: int | None) -> Array:
        """The first ``limit`` places of the text, rising, that these suffixes of each part begin at."""
        found: list[Array] = []
        left = self.header.units if limit is None else limit
        for part, suffixes, (begin, end) in zip(self.parts, self.suffixes, ranges, strict=bool(ranges)):
            if left == 0:
                break
            places = suffixes[begin:end].astype(np.int64)
            if len(places) > left:
                places = np.partition(places, left - 1)[:left]
            places.sort()
            if len(places) and places[-1] >= part.end - part.begin:
                raise InputError("the index is damaged: a suffix begins beyond its part")
            found.append(places + part.begin)
            left -= len(places)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def within(self, places: Array) -> tuple[Array, Array]:
        """Document and offset, int64, of places of the text."""
        documents = np.searchsorted(self.starts, places.astype(np.uint64), "right").astype(np.int64) - 1
        if len(places) and not 0 <= documents.min() <= documents.max() < self.header.documents:
            raise InputError(DAMAGED)
        offsets = places - self.starts[documents].astype(np.int64)
        if len(places) and offsets.min() < 0:
            raise InputError(DAMAGED)
        return documents, offsets

    def _array(self, offset: int, dtype: Any, count: int) -> Array:
        found: Array = self._data[offset : offset + count * np.dtype(dtype).itemsize].view(dtype)
        return found


def _read(path: Path, mmap: bool) -> Array:
    if not path.is_file() and path.exists():
        raise InputError("not a regular file")
    size = os.stat(path).st_size
    if size < layout.TEXT_OFFSET:
        raise InputError("shorter than the header of a corpus index")
    if mmap:
        return np.asarray(np.memmap(path, np.uint8, "r"))
    return np.fromfile(path, np.uint8)
