"""The structure of fastText's ``.bin``, checked before fastText allocates what its numbers say."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from pyfastlm.errors import InputError

MAGIC, VERSION = 793712314, 12
SUPERVISED = 3
# dim ws epoch minCount neg wordNgrams loss model bucket minn maxn lrUpdateRate t
ARGUMENTS = struct.Struct("<12id")
DICTIONARY = struct.Struct("<3i2q")  # size, words, labels, tokens, size of the pruned index
MAX_WORD = 1 << 20
MAX_ENTRIES = 30_000_000  # the size of fastText's table of words
WORD, LABEL = 0, 1


def check(path: Path) -> None:
    """Refuse what is not a whole, unquantised, supervised model.

    Raises:
        InputError: says what is wrong.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            _check(file, size)
        except _Wrong as error:
            raise InputError(f"path: {path.name!r} is no fastText model of two labels: {error}") from None


class _Wrong(Exception):
    pass


def _check(file: BinaryIO, size: int) -> None:
    if struct.unpack("<2i", _take(file, 8)) != (MAGIC, VERSION):
        raise _Wrong(f"expected the magic number of version {VERSION}")
    dim, _, _, _, _, ngrams, loss, model, bucket, minn, maxn, _, _ = ARGUMENTS.unpack(
        _take(file, ARGUMENTS.size)
    )
    if model != SUPERVISED or loss != 3:
        raise _Wrong("expected a supervised model with a softmax")
    if not (0 < dim <= 10_000 and bucket >= 0 and 0 < ngrams <= 10 and 0 <= minn <= 100 and 0 <= maxn <= 100):
        raise _Wrong("an option is out of range")
    entries, words, labels, _, pruned = DICTIONARY.unpack(_take(file, DICTIONARY.size))
    if labels != 2 or words < 0 or entries != words + labels or entries > MAX_ENTRIES * 3 // 4 or pruned >= 0:
        raise _Wrong("its dictionary does not add up")
    _check_entries(file, words, labels)
    _check_matrix(file, size, words + bucket, dim, rest=1 + 16 + 4 * labels * dim)
    _check_matrix(file, size, labels, dim, rest=0)


def _check_entries(file: BinaryIO, words: int, labels: int) -> None:
    """Each is a name with a zero behind it, a count and a kind: words first, then labels."""
    held, place = b"", 0
    for number in range(words + labels):
        while (end := held.find(b"\0", place)) < 0 or end + 10 > len(held):
            more = file.read(1 << 20)
            if not more or len(held) - place > MAX_WORD:
                raise _Wrong("its dictionary ends early")
            held, place = held[place:] + more, 0
        count, kind = struct.unpack_from("<qb", held, end + 1)
        if end == place or count < 0 or kind != (WORD if number < words else LABEL):
            raise _Wrong(f"entry {number} of its dictionary is damaged")
        place = end + 10
    file.seek(place - len(held), os.SEEK_CUR)


def _check_matrix(file: BinaryIO, size: int, rows: int, columns: int, rest: int) -> None:
    quantised, m, n = struct.unpack("<?2q", _take(file, 17))
    if quantised:
        raise _Wrong("expected weights that are not quantised")
    if (m, n) != (rows, columns):
        raise _Wrong(f"expected a matrix [{rows}, {columns}], got [{m}, {n}]")
    if file.tell() + 4 * rows * columns + rest != size:
        raise _Wrong(f"expected {file.tell() + 4 * rows * columns + rest:,} bytes, got {size:,}")
    file.seek(4 * rows * columns, os.SEEK_CUR)


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise _Wrong("it ends early")
    return data
