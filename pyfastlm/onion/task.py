"""The task of the paper: repeat a sequence of random symbols."""

from collections.abc import Iterator

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.onion.drawing import Draw, all_different, any_sequence, none_thrice, one_thrice, unique
from pyfastlm.onion.sequences import Ints, Sequences, possible

VALID_SHARE = 5  # validation takes one in so many of the possible sequences of a length at most
LONGER, DIFFERENT, THRICE, NOT_THRICE = 1, 2, 3, 4  # streams of random numbers beside that of the task


class RepeatTask:
    """Unique sequences of independent uniform symbols, to be repeated once.

    A sequence is drawn with a length uniform from ``min_len`` to ``max_len``, and thrown away if it is there
    already. So there are fewer short sequences than long ones: of 30 symbols at most 900 of length 2. Those
    of validation are drawn first, at most a fifth of all that are possible of each length.

    Attributes:
        train, valid: :class:`Sequences` of ``n_train`` and ``n_valid``, no sequence in both, in random order.

    Raises:
        InputError: a number is out of range, or there are not so many different sequences.

    Source: Csordás et al. (2024), "Recurrent Neural Networks Learn to Store and Generate Sequences using
    Non-Linear Representations", data set of its repository.
    """

    def __init__(
        self,
        n_symbols: int = 30,
        min_len: int = 2,
        max_len: int = 9,
        n_train: int = 1_000_000,
        n_valid: int = 5000,
        seed: int = 0,
    ) -> None:
        for name, value, least in (
            ("n_symbols", n_symbols, 2),
            ("min_len", min_len, 1),
            ("max_len", max_len, min_len),
            ("n_train", n_train, 1),
            ("n_valid", n_valid, 1),
            ("seed", seed, 0),
        ):
            if value < least:
                raise InputError(f"{name}: expected at least {least}, got {value}")
        self.n_symbols, self.min_len, self.max_len, self.seed = n_symbols, min_len, max_len, seed
        exist = [possible(n_symbols, length) if length >= min_len else 0 for length in range(max_len + 1)]
        most = np.array([min(count // VALID_SHARE, n_valid) for count in exist], np.int64)
        if n_valid > most.sum():
            raise InputError(
                f"n_valid: expected at most {most.sum()} (a fifth of each length), got {n_valid}"
            )
        if n_train > sum(exist) - n_valid:
            raise InputError(
                f"n_train: expected at most {sum(exist) - n_valid} (all but validation), got {n_train}"
            )
        rng = np.random.default_rng((seed, 0))
        draw = any_sequence(n_symbols, min_len, max_len)
        none = np.empty(0, np.int64)
        self.valid, held = unique(draw, n_valid, n_symbols, rng, without=none, most=most, exist=True)
        self.train, self._seen = unique(draw, n_train, n_symbols, rng, without=held, exist=True)

    def settings(self) -> dict[str, int]:
        """What it was made of: the same numbers make the same task."""
        return {
            "n_symbols": self.n_symbols,
            "min_len": self.min_len,
            "max_len": self.max_len,
            "n_train": len(self.train),
            "n_valid": len(self.valid),
            "task_seed": self.seed,
        }

    def longer(self, extra: int, n: int = 1000) -> Sequences:
        """``n`` unique sequences of ``max_len + extra`` symbols, longer than all of training.

        Raises:
            InputError: a number is below 1, or there are not so many.
        """
        _at_least("extra", extra, 1)
        length = self.max_len + extra
        return self._more(any_sequence(self.n_symbols, length, length), n, (LONGER, length))

    def no_repeats(self, n: int, length: int) -> Sequences:
        """``n`` unique sequences, not of training, in which no symbol comes twice.

        Raises:
            InputError: there are not so many, or fewer symbols than places.
        """
        _within("length", length, 1, self.n_symbols)
        return self._more(all_different(self.n_symbols, length), n, (DIFFERENT, length))

    def three_times(self, n: int, length: int) -> Sequences:
        """``n`` unique sequences, not of training, in which one symbol comes three times, each other once.

        Raises:
            InputError: there are not so many, or too few places or symbols.
        """
        _within("length", length, 3, self.n_symbols + 2)
        return self._more(one_thrice(self.n_symbols, length), n, (THRICE, length))

    def not_three_times(self, n: int, length: int) -> Sequences:
        """The control of :meth:`three_times`: random ones in which no symbol comes three times or more.

        Raises:
            InputError: there are not so many.
        """
        _within("length", length, 1, 2 * self.n_symbols)
        return self._more(none_thrice(self.n_symbols, length), n, (NOT_THRICE, length))

    def batches(self, batch_size: int, seed: int = 0, start_step: int = 0) -> Iterator[Sequences]:
        """Batches of training without an end; each pass takes every sequence once, in another order, but for
        those left over when the pass does not divide by ``batch_size``.

        Batch number s of a seed is always the same, and ``start_step`` begins there at once.

        Raises:
            InputError: ``batch_size`` is not within 1 to the number of sequences, or a number is below 0.
        """
        return batches(self.train, batch_size, seed, start_step)

    def _more(self, draw: Draw, n: int, stream: tuple[int, ...]) -> Sequences:
        _at_least("n", n, 1)
        rng = np.random.default_rng((self.seed, *stream))
        return unique(draw, n, self.n_symbols, rng, without=self._seen)[0]


def batches(data: Sequences, batch_size: int, seed: int = 0, start_step: int = 0) -> Iterator[Sequences]:
    """As :meth:`RepeatTask.batches`, of any sequences."""
    _within("batch_size", batch_size, 1, len(data))
    _at_least("seed", seed, 0)
    _at_least("start_step", start_step, 0)
    return _batches(data, batch_size, seed, start_step)


def _batches(data: Sequences, batch_size: int, seed: int, step: int) -> Iterator[Sequences]:
    steps = len(data) // batch_size
    epoch, order = -1, torch.empty(0, dtype=torch.int64)
    while True:
        if epoch != step // steps:
            epoch = step // steps
            shuffled: Ints = np.random.default_rng((seed, epoch)).permutation(len(data))
            order = torch.from_numpy(shuffled)
        start = step % steps * batch_size
        yield data.rows(order[start : start + batch_size])
        step += 1


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name}: expected at least {least}, got {value}")


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(f"{name}: expected {least} to {most}, got {value}")
