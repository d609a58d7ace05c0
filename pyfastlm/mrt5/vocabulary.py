"""ByT5's vocabulary: a byte is its value plus 3; there is nothing to learn and nothing to download."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyfastlm.errors import InputError

PAD, EOS, UNK = 0, 1, 2
OFFSET = 3  # id of byte 0
FIRST_SENTINEL = 258  # of span corruption; span i is FIRST_SENTINEL - i. Shared with the bytes 255, 254, ...
SIZE = 384


def encode(text: str | bytes, *, max_length: int | None = None) -> NDArray[np.int64]:
    """UTF-8 bytes of ``text`` as ids, with EOS.

    Args:
        text: a string, or bytes as they are.
        max_length: ids of the result at most, EOS included; the rest of the text is cut off.

    Returns:
        [n] int64.

    Raises:
        InputError: ``text`` holds a lone surrogate, or ``max_length`` leaves no room for EOS.
    """
    if max_length is not None and max_length < 1:
        raise InputError(f"max_length: expected at least 1, got {max_length}")
    kept = utf8(text)[: None if max_length is None else max_length - 1]
    ids = np.empty(len(kept) + 1, np.int64)
    ids[:-1] = np.frombuffer(kept, np.uint8)
    ids[:-1] += OFFSET
    ids[-1] = EOS
    return ids


def decode(ids: ArrayLike, *, errors: str = "ignore") -> str:
    """The text of ``ids`` [n]: special and unused ids are left out, as ByT5's tokenizer does.

    ``errors`` is that of :meth:`bytes.decode`; sentinels are bytes that never occur in UTF-8.
    """
    array = np.asarray(ids)
    chosen = array[(array >= OFFSET) & (array <= FIRST_SENTINEL)]
    return (chosen - OFFSET).astype(np.uint8).tobytes().decode("utf-8", errors)


def utf8(text: str | bytes) -> bytes:
    """``text`` as bytes.

    Raises:
        InputError: a lone surrogate, which UTF-8 cannot hold.
    """
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text: lone surrogate at character {error.start}") from error
