"""The file of an n-gram model: a line of JSON, arrays as they lie in memory, a hash of all before it.

Nothing in it is code, and nothing is believed before it is checked: sizes against the length of the file, the
hash, then that keys rise and numbers are logarithms of probabilities.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.ngram.keys import LARGEST_ORDER
from pyfastlm.lm.ngram.kneser_ney import Discounts, Level

MAGIC = b"pyfastlm n-grams 1\n"
LONGEST_HEADER = 1 << 16
KEY, VALUE = np.dtype("<u8"), np.dtype("<f4")
HASH_BYTES = hashlib.sha256().digest_size


def write(path: Path, levels: tuple[Level, ...], discounts: tuple[Discounts, ...]) -> None:
    """Write ``path`` by one rename."""
    sizes = [[len(level.keys), len(level.contexts)] for level in levels]
    digest = hashlib.sha256()
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as out:
        for piece in _pieces(json.dumps({"sizes": sizes, "discounts": discounts}).encode(), levels):
            digest.update(piece)
            out.write(piece)
        out.write(digest.digest())


def read(path: Path) -> tuple[list[Level], list[Discounts]]:
    """What :func:`write` wrote.

    Raises:
        InputError: it cannot be read, is damaged, or is something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"path: cannot read {str(path)!r}: {error.strerror or error}") from None
    try:
        return _parsed(data)
    except _Damage as damage:
        raise InputError(f"path: {str(path)!r} is no n-gram model: {damage}") from None


class _Damage(Exception):
    pass


def _pieces(header: bytes, levels: tuple[Level, ...]) -> Iterator[bytes]:
    yield MAGIC + header + b"\n"
    for level in levels:
        for array, kind in (
            (level.keys, KEY),
            (level.logp, VALUE),
            (level.contexts, KEY),
            (level.backoff, VALUE),
        ):
            yield array.astype(kind, copy=False).tobytes()


def _parsed(data: bytes) -> tuple[list[Level], list[Discounts]]:
    if not data.startswith(MAGIC):
        raise _Damage("it begins with something else")
    stop = data.find(b"\n", len(MAGIC), len(MAGIC) + LONGEST_HEADER)
    if stop < 0:
        raise _Damage("its first lines are cut off")
    sizes, discounts = _header(data[len(MAGIC) : stop])
    item = KEY.itemsize + VALUE.itemsize
    expected = stop + 1 + item * sum(map(sum, sizes)) + HASH_BYTES
    if len(data) != expected:
        raise _Damage(f"it has {len(data):,} bytes, expected {expected:,}")
    if hashlib.sha256(data[:-HASH_BYTES]).digest() != data[-HASH_BYTES:]:
        raise _Damage("its contents do not have the hash at its end")
    place = stop + 1
    levels = []
    for order, (grams, seen) in enumerate(sizes, 1):
        arrays: list[NDArray[Any]] = []
        for count, kind in ((grams, KEY), (grams, VALUE), (seen, KEY), (seen, VALUE)):
            arrays.append(np.frombuffer(data, kind, count, place))
            place += count * kind.itemsize
        levels.append(Level(*arrays))
        _check_numbers(levels[-1], order)
    return levels, discounts


def _header(line: bytes) -> tuple[list[list[int]], list[Discounts]]:
    try:
        header = json.loads(line)
        sizes, discounts = header["sizes"], header["discounts"]
        right = (
            1 <= len(sizes) <= LARGEST_ORDER
            and all(type(size) is int and 0 <= size < 1 << 48 for pair in sizes for size in pair)
            and all(len(pair) == 2 for pair in sizes)
            and [len(amounts) for amounts in discounts] == [3] * len(sizes)
        )
        amounts = [(float(a), float(b), float(c)) for a, b, c in discounts]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        right = False
    if not right:
        raise _Damage("its first lines do not say what it holds")
    return sizes, amounts


def _check_numbers(level: Level, order: int) -> None:
    for keys in (level.keys, level.contexts):
        if not (keys[1:] > keys[:-1]).all():
            raise _Damage(f"its keys of order {order} do not rise")
    for values in (level.logp, level.backoff):
        if not (np.isfinite(values).all() and (values <= 0).all()):
            raise _Damage(f"its numbers of order {order} are no logarithms of probabilities")
