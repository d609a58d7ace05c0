"""Windows that a corpus has several times, drawn so that each different one is as likely as any other."""

from collections.abc import Callable

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.memorization.corpus.mapped import DAMAGED, Mapped
from pyfastlm.memorization.corpus.results import Array, Repeated

BLOCK = 1 << 14  # windows that are drawn at a time
BLOCK_BYTES = 1 << 26


def repeated(
    mapped: Mapped,
    count: Callable[[list[bytes]], Array],
    length: int,
    at_least: int,
    sample: int,
    seed: int,
    draws: int,
) -> Repeated:
    """See ``CorpusIndex.repeated``; ``count`` says how often the corpus has each of several windows."""
    random = np.random.default_rng(seed)
    before = _windows_before(mapped, length)
    total = int(before[-1])
    if not 0 <= total <= mapped.header.units:
        raise InputError(DAMAGED)
    found: dict[bytes, tuple[int, int]] = {}  # window: count and place
    drawn = often = 0
    block = max(1, min(BLOCK, BLOCK_BYTES // (length * mapped.header.width)))
    while total and drawn < draws and len(found) < sample:
        numbers = random.integers(0, total, min(block, draws - drawn))
        chances = random.random(len(numbers))
        documents = np.searchsorted(before, numbers, "right") - 1
        places = mapped.starts[documents].astype(np.int64) + numbers - before[documents]
        if int(places.min()) < 0 or int(places.max()) + length > mapped.header.units:
            raise InputError(DAMAGED)
        windows = [mapped.text[place : place + length].tobytes() for place in places.tolist()]
        counts = count(windows)
        kept = (counts >= at_least) & (chances * counts < 1)
        drawn += len(numbers)
        often += int((counts >= at_least).sum())
        for i in np.flatnonzero(kept).tolist():
            if len(found) < sample:
                found.setdefault(windows[i], (int(counts[i]), int(places[i])))
    places = np.array([place for _, place in found.values()], np.int64)
    documents, offsets = mapped.within(places)
    units = np.frombuffer(b"".join(found), mapped.text.dtype).reshape(-1, length)
    return Repeated(
        windows=units,
        counts=np.array([times for times, _ in found.values()], np.int64),
        documents=documents,
        offsets=offsets,
        share=often / drawn if drawn else 0.0,
        drawn=drawn,
    )


def _windows_before(mapped: Mapped, length: int) -> Array:
    """How many windows begin before each document, int64 [documents + 1]; [2] where nothing parts them."""
    starts = mapped.starts.astype(np.int64)
    sizes = np.diff(starts) - mapped.gap if mapped.gap else starts[-1:]
    before = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.maximum(sizes - length + 1, 0), out=before[1:])
    return before
