"""n-grams of bytes as whole numbers.

A symbol takes nine bits: byte b is b + 1, then the end of a text, then its beginning; 0 is no symbol. The
predicted symbol stands in the highest bits and the one farthest from it in the lowest, so to drop the
farthest symbols is to shift right: it keeps sorted keys sorted.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BITS = 9
SYMBOLS = 257  # what can be predicted: a byte, or the end
END = 257
BEGIN = 258
MASK = (1 << BITS) - 1
LARGEST_ORDER = 63 // BITS

Keys = NDArray[np.uint64]


def windows(texts: Sequence[bytes], order: int, *, end: bool) -> Keys:
    """[n] keys of every byte of ``texts`` with its ``order - 1`` symbols before, text after text.

    A text begins with one symbol for its beginning, and nothing is before that. With ``end`` the end of each
    text is predicted too.
    """
    mark = np.array([BEGIN], np.uint16)
    close = np.array([END] if end else [], np.uint16)
    pieces: list[NDArray[np.uint16]] = []
    for text in texts:
        pieces += (mark, np.frombuffer(text, np.uint8).astype(np.uint16) + 1, close)
    if not pieces:
        return np.empty(0, np.uint64)
    symbols = np.concatenate(pieces).astype(np.uint64)
    keys = symbols << np.uint64(BITS * (order - 1))
    # Distance to the beginning of the text: symbols before it belong to another text.
    place = np.arange(len(symbols))
    begins = symbols == BEGIN
    distance = place - np.maximum.accumulate(np.where(begins, place, 0))
    for back in range(1, order):
        earlier = symbols[:-back] << np.uint64(BITS * (order - 1 - back))
        keys[back:] |= np.where(distance[back:] >= back, earlier, np.uint64(0))
    found: Keys = keys[~begins]
    return found


def shorten(keys: Keys, symbols: int) -> Keys:
    """Without the ``symbols`` farthest ones."""
    return keys >> np.uint64(BITS * symbols)


def farthest(keys: Keys) -> NDArray[np.uint64]:
    """The symbol farthest from the predicted one; 0 where the key is of a shorter n-gram."""
    return keys & np.uint64(MASK)


def contexts(keys: Keys, order: int) -> Keys:
    """Without the predicted symbol; ``order`` is that of ``keys``."""
    return keys & np.uint64((1 << (BITS * (order - 1))) - 1)


def firsts(ordered: Keys) -> NDArray[np.int64]:
    """Where each distinct number of a sorted array begins."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else _NOTHING


def find(table: Keys, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Places of ``keys`` in the sorted ``table``, and whether each is there."""
    if not len(table):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return places, table[places] == keys


_NOTHING = np.empty(0, np.int64)
