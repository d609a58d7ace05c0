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


def whole_of(query: str) -> Unit | None:
    """All of a query in its normal form as one unit; None where there is nothing to correct.

    That is where it is too long to be a search, or has no letter: numbers and emojis are not misspelt.
    """
    count = query.count(" ") + 1
    if len(query) > LONGEST or count > MOST_WORDS or not _has_letter(query):
        return None
    return Unit(query, 0, count)


def parts_of(query: str) -> list[Unit]:
    """The words of a query and its neighbours, where it has several."""
    words = query.split(" ")
    if len(words) == 1:
        return []
    units = [Unit(word, i, i + 1) for i, word in enumerate(words)]
    units += [Unit(" ".join(words[i : i + 2]), i, i + 2, True) for i in range(len(words) - 1)]
    return [unit for unit in units if _has_letter(unit.text)]


def _has_letter(text: str) -> bool:
    return any(letter.isalpha() for letter in text)
