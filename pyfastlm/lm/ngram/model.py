"""A byte n-gram model: trained in seconds, scored like any other."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.ngram import file
from pyfastlm.lm.ngram.counting import batches, count, refuse_single
from pyfastlm.lm.ngram.keys import (
    BITS,
    LARGEST_ORDER,
    SYMBOLS,
    Keys,
    contexts,
    find,
    firsts,
    shorten,
    windows,
)
from pyfastlm.lm.ngram.kneser_ney import Discounts, Level, smooth
from pyfastlm.lm.progress import watched
from pyfastlm.lm.scores import TextScore

POLICY = "byte n-grams/1"  # changes with everything here that changes a score


class NgramModel:
    """Interpolated modified Kneser-Ney over bytes; scores like :class:`pyfastlm.lm.Scorer`.

    Every byte of a text is predicted from the ``order - 1`` bytes before it, the first one from the beginning
    of the text. The end of a text is learned, so that probabilities are those of 256 bytes and the end, but
    it is not scored: a text has as many tokens as bytes. Get one from :meth:`train` or :meth:`open`.

    Attributes:
        order: length of the longest n-grams, 1 .. 7.
        discounts: of each order, what was taken from counts of 1, of 2, and of 3 or more.
        max_length: ``order``; what is farther away has no influence.
        tokens_per_batch: for :func:`pyfastlm.lm.files.score_files`, which saves 32 times as many bytes of
            text at once; no influence on results.
    """

    tokens_per_batch = 1 << 16

    def __init__(self, levels: Sequence[Level], discounts: Sequence[Discounts]) -> None:
        self.order = len(levels)
        self.max_length = self.order
        self.discounts = tuple(discounts)
        self._levels = tuple(levels)

    @classmethod
    def train(cls, texts: Iterable[str], *, order: int = 5, progress: bool = False) -> "NgramModel":
        """Count the texts, read once as they come, and smooth. Memory grows with distinct n-grams.

        Args:
            texts: any iterable of strings.
            order: length of the longest n-grams.
            progress: count the texts on standard error.

        Raises:
            InputError: ``order`` is not 1 .. 7; there is no text; a text is no Unicode.
            InputTypeError: a text is not a string, or ``order`` not a whole number.
        """
        if isinstance(order, bool) or not isinstance(order, int):
            raise InputTypeError(f"order: expected a whole number, got {order!r}")
        if not 1 <= order <= LARGEST_ORDER:
            raise InputError(f"order: expected 1 to {LARGEST_ORDER}, got {order}")
        refuse_single(texts)
        total = len(texts) if isinstance(texts, Sequence) else None
        return cls(*smooth(count(watched(texts, total, "texts", progress), order), order))

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write one file, which appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        file.write(Path(path), self._levels, self.discounts)

    @classmethod
    def open(cls, path: "str | os.PathLike[str]") -> "NgramModel":
        """A model that :meth:`save` wrote, read into memory and checked.

        Raises:
            InputError: the file cannot be read, is damaged, or is no such model.
        """
        return cls(*file.read(Path(path)))

    @property
    def n_grams(self) -> tuple[int, ...]:
        """How many n-grams of each order it holds."""
        return tuple(len(level.keys) for level in self._levels)

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits: equal ones give equal scores."""
        digest = hashlib.sha256(POLICY.encode())
        for level in self._levels:
            for array in level:
                digest.update(f"{len(array)} ".encode())
                digest.update(array.tobytes())
        return digest.hexdigest()[:32]

    def rolling(self, texts: Iterable[str], *, progress: bool = False) -> list[TextScore]:
        """Score whole texts: ``logp`` in nats, summed in float64 over the bytes; a text is one window.

        Args:
            texts: any iterable of strings; it is read as it is needed.
            progress: show a bar on standard error.

        Raises:
            InputError: a text is no Unicode (names its index).
            InputTypeError: a text is not a string.
        """
        total = len(texts) if isinstance(texts, Sequence) else None
        return [
            TextScore(float(logp.sum(dtype=np.float64)), len(logp), len(logp), int(len(logp) > 0))
            for logp in watched(self._scored(texts), total, "texts", progress)
        ]

    def byte_logp(self, texts: Iterable[str]) -> list[NDArray[np.float32]]:
        """Log-probability, in nats, of each byte of each text; same errors as :meth:`rolling`."""
        return [*self._scored(texts)]

    def next_logp(self, context: bytes) -> NDArray[np.float32]:
        """[257] log-probabilities, in nats, of what comes after ``context``: each byte, then the end.

        ``context`` is taken from the beginning of a text.
        """
        key = windows([context + b"\0"], self.order, end=False)[-1:]
        symbols = np.arange(1, SYMBOLS + 1, dtype=np.uint64) << np.uint64(BITS * (self.order - 1))
        return self._look_up(contexts(key, self.order) | symbols)

    def _scored(self, texts: Iterable[str]) -> Iterator[NDArray[np.float32]]:
        refuse_single(texts)
        for batch in batches(texts):
            keys = windows(batch, self.order, end=False)
            by_key = np.argsort(keys)
            ordered = keys[by_key]
            starts = firsts(ordered)
            logp = np.empty(len(keys), np.float32)
            repeats = np.diff(np.append(starts, len(ordered)))
            logp[by_key] = np.repeat(self._look_up(ordered[starts]), repeats)
            yield from np.split(logp, np.cumsum([len(text) for text in batch])[:-1])

    def _look_up(self, keys: Keys) -> NDArray[np.float32]:
        """Log-probabilities of ``keys``, which are fastest in rising order."""
        found = np.zeros(len(keys), np.float64)
        left = np.arange(len(keys))
        for length in range(self.order, 0, -1):
            level, asked = self._levels[length - 1], shorten(keys[left], self.order - length)
            places, there = find(level.keys, asked)
            found[left[there]] += level.logp[places[there]]
            left, asked = left[~there], asked[~there]
            places, there = find(level.contexts, contexts(asked, length))
            found[left[there]] += level.backoff[places[there]]
        found[left] -= np.log(SYMBOLS)
        return found.astype(np.float32)
