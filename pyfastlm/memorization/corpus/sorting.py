"""How the text is divided into parts that fit into memory, and the suffixes of one part in order."""

import bisect
from collections.abc import Iterator, Sequence

import numpy as np

from pyfastlm._require import require
from pyfastlm.memorization.corpus.format import Part
from pyfastlm.memorization.corpus.units import Array

LONGEST_SORTED = (1 << 31) - 1  # bytes, with suffixes as int32
OVERLAP = 1 << 16  # units of the next part that suffixes of a part may go into
CHUNK = 1 << 22


def code_bytes(width: int, largest: int) -> int:
    """Bytes that a unit is sorted by, where documents have units up to ``largest``, and a separator."""
    return width if width < 4 else ((largest + 1).bit_length() + 7) // 8


def units_of_part(memory: int, width: int, largest: int) -> int:
    """How many can be sorted in ``memory`` bytes."""
    code = code_bytes(width, largest)
    # The text and what it is sorted by, then that and four bytes for each of its bytes.
    each = max(3 * width + code, width + 5 * code) + 1
    return min(memory // each, LONGEST_SORTED // code - OVERLAP)


def plan(starts: Sequence[int], units: int, most: int, *, separated: bool) -> tuple[list[Part], int]:
    """Parts of at most ``most`` units and their overlap, and the longest pattern that all of them see whole.

    A part ends between documents, and sees all of its suffixes, unless a document is longer than a part, or
    documents are not separated: then its suffixes go on into the next part for ``OVERLAP`` units, or a
    quarter of a part where that is less. The longest pattern is 0 where there is no bound.
    """
    overlap = min(OVERLAP, most // 4)
    parts: list[Part] = []
    begin = longest = 0
    while begin < units:
        end = begin + most
        if end >= units:
            end = limit = units
        else:
            after = bisect.bisect_right(starts, end)  # the first document that begins beyond
            if separated and starts[after - 1] > begin:
                end = limit = starts[after - 1]
            else:
                stop = starts[after] if separated else units
                limit = min(end + overlap, stop)
                if limit < stop:
                    longest = overlap + 1
        parts.append(Part(begin, end, limit, 0))
        begin = end
    return parts, longest


def sorted_suffixes(text: Array, own: int, separator: int | None, largest: int) -> Iterator[Array]:
    """Where the suffixes of ``text`` [units] begin, in their order, as arrays of uint32.

    Left out are those that begin with the separator, or at ``own`` or later.
    """
    library = require("pydivsufsort", "memorization")
    width = code_bytes(text.itemsize, largest)
    order = library.divsufsort(_codes(text, separator, largest))
    # Those that begin with the separator come together.
    before = stop = 0
    if separator is not None:
        before = int(np.count_nonzero(text < separator))
        stop = before + int(np.count_nonzero(text == separator))
    seen = 0
    for begin in range(0, len(order), CHUNK):
        found = order[begin : begin + CHUNK]
        if width > 1:
            found = found[found % width == 0] // width
        begin_here, end_here = max(before - seen, 0), max(stop - seen, 0)
        seen += len(found)
        if begin_here < len(found) and end_here > 0:
            found = np.concatenate([found[:begin_here], found[end_here:]])
        if own < len(text):
            found = found[found < own]
        yield found.astype(np.uint32)


def _codes(text: Array, separator: int | None, largest: int) -> Array:
    """Bytes that compare as the units do, the same number for each."""
    if text.itemsize == 1:
        return text
    if text.itemsize == 2:
        return text.astype(">u2").view(np.uint8)
    width = code_bytes(4, largest)
    # The separator is greater than all others: it may as well be the next one.
    codes = text if separator is None else np.where(text == separator, np.uint32(largest + 1), text)
    return np.ascontiguousarray(codes.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 4 - width :]).reshape(-1)
