"""What counts how much among terms that resemble a text."""

from typing import NamedTuple


class Weights(NamedTuple):
    """``fit = popularity * log((1 + score) / (1 + total)) - cost * similar.cost + share * similar.share``.

    The total is that of all scores of the index; a score below 0 counts as 0. All weights are finite.
    """

    cost: float
    popularity: float
    share: float
