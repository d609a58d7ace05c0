"""What was typed, and what was meant: what correctors are tuned and judged on."""

from typing import NamedTuple


class Pair(NamedTuple):
    """A query as it was typed, the text that was meant, and the class of the error, empty where unknown."""

    noisy: str
    gold: str
    kind: str = ""
