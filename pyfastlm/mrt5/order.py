"""Which examples come when: decided by a seed and a position, so that a run can go on from any place."""

from pyfastlm.lm.order import Order as Numbers
from pyfastlm.mrt5.examples import Data, Example


class Order:
    """The examples of ``data`` one epoch after the other, each in an order of its own."""

    def __init__(self, data: Data, seed: int) -> None:
        self._data = data
        self._numbers = Numbers(len(data), seed)

    def take(self, start: int, count: int) -> list[Example]:
        """``count`` examples from position ``start`` on."""
        found: list[Example] = []
        for epoch, chosen in self._numbers.pieces(start, count):
            found += self._data.examples(epoch, chosen)
        return found
