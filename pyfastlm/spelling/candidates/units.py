"""The parts of a query that are looked up: its words, neighbours that may be one word, and all of it."""

from typing import NamedTuple

LONGEST = 255  # code points of a text that the index compares
MOST_WORDS = 32  # of a query that is corrected


class Unit(NamedTuple):
    """The words ``first`` to ``last - 1`` of a query as one text; ``joined``: as a single word."""

    text: str
    first: int
    last: int
    joined: bool = False


def units_of(query: str) -> list[Unit]:
    """All units of a query in its normal form; none where it is too long to be a search.

    A text without a letter is no unit: numbers and emojis are not misspelt.
    """
    words = query.split(" ")
    if len(query) > LONGEST or len(words) > MOST_WORDS:
        return []
    count = len(words)
    units = [Unit(word, i, i + 1) for i, word in enumerate(words)]
    if count > 1:
        units += [Unit(" ".join(words[i : i + 2]), i, i + 2, True) for i in range(count - 1)]
        units.append(Unit(query, 0, count))
    return [unit for unit in units if any(letter.isalpha() for letter in unit.text)]
