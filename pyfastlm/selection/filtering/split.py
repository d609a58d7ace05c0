"""Which pages are learned from, and which are kept for calibration and tests."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.filtering import training_file
from pyfastlm.selection.filtering.drawing import Drawn, Example, hash64

TRAIN, TEST, CALIBRATE, DOMAIN = range(4)
LEAST_DOMAINS = 4  # of a label, before one of them is held out
BATCH_PAGES = 256
_HEAD = struct.Struct("<BII")  # side, domain, length of the text


class Model(Protocol):
    """A classifier of pages."""

    def margins(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds of being included."""
        ...


class Held(NamedTuple):
    """Pages not learned from, [n] each: their side, domain, and margin."""

    sides: NDArray[np.uint8]
    domains: NDArray[np.int64]
    margins: NDArray[np.float64]


def held_out(drawn: Drawn, included: Sequence[bool], part: float, seed: int) -> set[int]:
    """Domains to hold out: ``part`` of those of each label, drawn by their names."""
    found: set[int] = set()
    for label in (True, False):
        own = [number for number, of in enumerate(included) if of == label]
        count = round(part * len(own))
        if part > 0 and len(own) >= LEAST_DOMAINS:
            count = max(count, 1)
        count = min(count, len(own) - 1)
        own.sort(key=lambda number: (hash64(seed, drawn.domains[number].encode()), drawn.domains[number]))
        found.update(own[: max(count, 0)])
    return found


def split(
    drawn: Drawn, included: Sequence[bool], foreign: set[int], valid: float, train: Path, rest: Path
) -> tuple[int, int]:
    """Write the pages to learn from to ``train`` and the others to ``rest``; returns excluded, included
    pages to learn from.

    Raises:
        InputError: there are none of a label to learn from, to test on or to calibrate on.
    """
    counts = np.zeros((4, 2), np.int64)
    with open(train, "wb") as learned, open(rest, "wb") as kept:
        for example in drawn.examples(included):
            label = included[example.domain]
            side = DOMAIN if example.domain in foreign else _side(example, valid)
            counts[side, int(label)] += 1
            if side == TRAIN:
                training_file.write(learned, [(label, example.text)])
            else:
                data = example.text.encode()
                kept.write(_HEAD.pack(side, example.domain, len(data)) + data)
    for side, what in ((TRAIN, "learn from"), (TEST, "test on"), (CALIBRATE, "calibrate on")):
        if not counts[side].all():
            missing = "included" if counts[side, 0] else "excluded"
            raise InputError(
                f"pages: none of an {missing} domain to {what}, of {counts.sum():,} in all; "
                "give more pages, or change valid or seed"
            )
    return int(counts[TRAIN, 0]), int(counts[TRAIN, 1])


def margins(model: Model, rest: Path) -> Held:
    """Margins of the pages in ``rest``, in batches."""
    sides, domains, found = bytearray(), list[int](), list[NDArray[np.float64]]()
    texts: list[str] = []
    for side, domain, text in _read(rest):
        sides.append(side)
        domains.append(domain)
        texts.append(text)
        if len(texts) == BATCH_PAGES:
            found.append(model.margins(texts))
            texts = []
    found.append(model.margins(texts))
    return Held(np.frombuffer(sides, np.uint8), np.array(domains, np.int64), np.concatenate(found))


def _side(example: Example, valid: float) -> int:
    if example.draw < valid:
        return TEST
    return CALIBRATE if example.draw < 2 * valid else TRAIN


def _read(path: Path) -> Iterator[tuple[int, int, str]]:
    with open(path, "rb") as file:
        while head := file.read(_HEAD.size):
            side, domain, length = _HEAD.unpack(head)
            yield side, domain, file.read(length).decode()
