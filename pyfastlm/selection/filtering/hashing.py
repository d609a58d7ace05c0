"""Hashed words and pairs of words, many at a time in numpy.

A word is a run of letters and digits (ASCII folded to lower case, everything else as it is), or a run of
other signs; each CJK character is a word of its own. A text is hashed as bytes: the hash of a word is a
polynomial in its bytes modulo 2^64, taken from one running sum over all texts, then mixed.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

VERSION = 1  # rises with every change of what a text is hashed to
PIECE_BYTES = 1 << 17  # hashed at once: its arrays stay in the second-level cache
BATCH_BYTES = 1 << 20
SPACE, WORD, SIGN = 0, 1, 2

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_INVERSE = pow(_BASE, -1, 1 << 64)
_PAIR = np.uint64(0xC2B2AE3D27D4EB4F)


class Features(NamedTuple):
    """Features of n texts: those of text i are ``ids[starts[i]:starts[i + 1]]``, uint32 below ``buckets``."""

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]


def features(texts: Sequence[str], *, buckets: int, seed: int) -> Features:
    """Every word and every pair of neighbours of each text, as numbers from 0 to ``buckets - 1``."""
    words, starts = words_of(texts)
    mixed = _mix(words + np.uint64(seed % (1 << 64)))
    pairs = _mix(mixed[:-1] * _PAIR + mixed[1:]) if len(words) > 1 else mixed[:0]
    # A pair of the last word of a text with the first of the next is none.
    counts = np.diff(starts)
    apart = np.ones(len(pairs), bool)
    ends = starts[1:-1]
    apart[ends[(ends > 0) & (ends < len(words))] - 1] = False
    owners = np.repeat(np.arange(len(counts)), counts)
    every = np.concatenate([owners, owners[:-1][apart]])
    values = np.concatenate([mixed, pairs[apart]])
    order = np.argsort(every, kind="stable")
    found = np.bincount(every, minlength=len(counts))
    ids = ((values[order] >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)
    return Features(ids.astype(np.uint32), _cumulated(found))


def sums(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums [n] of ``values[starts[i]:starts[i + 1]]``, each the same whatever lies beside it; 0 for none."""
    found = np.zeros(len(starts) - 1)
    some = np.diff(starts) > 0
    if some.any():
        found[some] = np.add.reduceat(values, starts[:-1][some])
    return found


def words_of(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """Hashes of all words in order, and where those of each text start, [n + 1]."""
    found: list[Hashes] = []
    counts = np.zeros(len(texts), np.int64)
    for held, owners in _pieces(texts):
        hashes, starts = _hash(held)
        # Each piece ends in a space, so no word runs into the next.
        bounds = np.cumsum([0, *(len(piece) + 1 for piece in held)])
        inside = np.diff(np.searchsorted(starts, bounds))
        np.add.at(counts, owners, inside)
        found.append(hashes)
    return (np.concatenate(found) if found else np.empty(0, np.uint64)), _cumulated(counts)


def _pieces(texts: Sequence[str]) -> Iterator[tuple[list[bytes], list[int]]]:
    """Texts in groups of some ``PIECE_BYTES``; a longer one is cut at a space, if it has one."""
    held: list[bytes] = []
    owners: list[int] = []
    size = 0
    for owner, text in enumerate(texts):
        rest = text.encode("utf-8", "surrogatepass")
        while rest:
            if len(rest) <= PIECE_BYTES:
                piece, rest = rest, b""
            else:
                end = rest.rfind(b" ", 0, PIECE_BYTES)
                end = end if end > 0 else rest.find(b" ", PIECE_BYTES)
                piece, rest = (rest[:end], rest[end:]) if end > 0 else (rest, b"")
            if held and size + len(piece) > PIECE_BYTES:
                yield held, owners
                held, owners, size = [], [], 0
            held.append(piece)
            owners.append(owner)
            size += len(piece)
    if held:
        yield held, owners


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    kinds = np.full(256, SIGN, np.uint8)
    kinds[:33] = kinds[127] = SPACE
    for first, last in (("0", "9"), ("A", "Z"), ("a", "z")):
        kinds[ord(first) : ord(last) + 1] = WORD
    kinds[128:] = WORD
    folded = np.arange(256, dtype=np.uint8)
    folded[ord("A") : ord("Z") + 1] += 32
    return kinds, folded


_KINDS, _FOLDED = _tables()


def _powers(base: int, count: int) -> Hashes:
    with np.errstate(over="ignore"):
        return np.multiply.accumulate(np.r_[np.uint64(1), np.full(count, base, np.uint64)])


_UP, _DOWN = _powers(_BASE, 2 * PIECE_BYTES), _powers(_INVERSE, 2 * PIECE_BYTES)


def _hash(held: list[bytes]) -> tuple[Hashes, NDArray[np.int64]]:
    """Hash and start of every word of ``held``, put one after the other with a space behind each."""
    data = np.frombuffer(b" ".join([*held, b""]), np.uint8)
    kinds = _KINDS[data]
    begins = np.empty(len(data), bool)
    begins[0] = True
    np.not_equal(kinds[1:], kinds[:-1], out=begins[1:])
    if (data >= 0xE3).any():
        for first, last, width in ((0xE3, 0xED, 3), (0xF0, 0xF4, 4)):
            wide = np.flatnonzero((data >= first) & (data <= last))
            begins[wide] = True
            after = wide + width
            begins[after[after < len(data)]] = True
    places = np.flatnonzero(begins)
    ends = np.r_[places[1:], len(data)]
    kept = kinds[places] != SPACE
    starts, ends = places[kept], ends[kept]
    up, down = _UP, _DOWN
    if len(data) >= len(up):  # a piece without a space
        up, down = _powers(_BASE, len(data)), _powers(_INVERSE, len(data))
    with np.errstate(over="ignore"):
        sums = np.zeros(len(data) + 1, np.uint64)
        np.cumsum((_FOLDED[data].astype(np.uint64) + np.uint64(1)) * up[: len(data)], out=sums[1:])
        return (sums[ends] - sums[starts]) * down[starts], starts


def _mix(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the value (the end of MurmurHash3)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        return np.asarray(values ^ (values >> np.uint64(33)))


def _cumulated(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
