"""Which examples come when: decided by a seed and a position, so that a run can go on from any place."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class Order:
    """The numbers from 0 to ``count`` - 1, one epoch after the other, each in an order of its own.

    There is no state: position p is number ``permutation(seed, p // count)[p % count]``.

    Args:
        count: of the examples; at least one.
        seed: of the orders; None for the natural one in every epoch.
    """

    def __init__(self, count: int, seed: int | None) -> None:
        self._count = count
        self._seed = seed
        self._known: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def pieces(self, start: int, count: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """The numbers at ``count`` positions from ``start`` on, in pieces of one epoch, with its number."""
        end = start + count
        while start < end:
            epoch, offset = divmod(start, self._count)
            chosen = self._epoch(epoch, offset, min(self._count, offset + end - start))
            yield epoch, chosen
            start += len(chosen)

    def take(self, start: int, count: int) -> NDArray[np.int64]:
        """The numbers [count] at ``count`` positions from ``start`` on."""
        return np.concatenate([np.empty(0, np.int64), *(chosen for _, chosen in self.pieces(start, count))])

    def _epoch(self, epoch: int, first: int, last: int) -> NDArray[np.int64]:
        if self._seed is None:
            return np.arange(first, last)
        if self._known[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            self._known = (epoch, rng.permutation(self._count))
        return self._known[1][first:last]
