"""Which examples come when: decided by a seed and a position, so that a run can go on from any place."""

import numpy as np
from numpy.typing import NDArray

from pyfastlm.mrt5.examples import Data, Example


class Order:
    """The examples of ``data`` one epoch after the other, each in an order of its own.

    There is no state: position p is example ``permutation(seed, p // n)[p % n]`` of epoch ``p // n``.
    """

    def __init__(self, data: Data, seed: int) -> None:
        self._data = data
        self._seed = seed
        self._known: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def take(self, start: int, count: int) -> list[Example]:
        """``count`` examples from position ``start`` on."""
        found: list[Example] = []
        while len(found) < count:
            epoch, offset = divmod(start + len(found), len(self._data))
            chosen = self._permutation(epoch)[offset : offset + count - len(found)]
            found += self._data.examples(epoch, chosen)
        return found

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        if self._known[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            self._known = (epoch, rng.permutation(len(self._data)))
        return self._known[1]
