"""Counts of n-grams from a stream of texts, in memory that grows with distinct ones only."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.encoding import utf8_length
from pyfastlm.lm.ngram.keys import Keys, firsts, windows

TOGETHER = 1 << 21  # bytes of text that are sorted at once

Counts = tuple[Keys, NDArray[np.int64]]


def count(texts: Iterable[str], order: int) -> Counts:
    """Distinct keys [n] in rising order, and how often each occurs; ends of texts are counted too.

    Raises:
        InputError: there is no text; a text is no Unicode (names its index).
        InputTypeError: a text is not a string.
    """
    found: Counts | None = None
    for batch in batches(texts):
        ordered = windows(batch, order, end=True)
        ordered.sort()
        starts = firsts(ordered)
        some = ordered[starts], np.diff(np.append(starts, len(ordered)))
        found = some if found is None else _merged(found, some)
    if found is None:
        raise InputError("texts: expected at least one text, got none")
    return found


def refuse_single(texts: object) -> None:
    """Refuse one string where several are expected: it would be read letter by letter."""
    if isinstance(texts, str):
        raise InputTypeError("texts: expected an iterable of strings, got one string; pass [text]")


def batches(texts: Iterable[str]) -> Iterator[list[bytes]]:
    """Texts in UTF-8, as many together as make ``TOGETHER`` bytes."""
    held: list[bytes] = []
    size = 0
    for number, text in enumerate(texts):
        size += utf8_length(text, f"texts[{number}]")
        held.append(text.encode())
        if size >= TOGETHER:
            yield held
            held, size = [], 0
    if held:
        yield held


def _merged(a: Counts, b: Counts) -> Counts:
    keys, counts = np.concatenate((a[0], b[0])), np.concatenate((a[1], b[1]))
    order = np.argsort(keys, kind="stable")  # radix or tim sort: both parts are sorted already
    keys = keys[order]
    starts = firsts(keys)
    return keys[starts], np.add.reduceat(counts[order], starts)
