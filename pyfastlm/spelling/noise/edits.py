"""Single errors of each sort: what goes from a text, and what comes in its place.

An edit is (begin, end, instead). It takes letters only, and none that a mark follows: accents that are code
points of their own, vowel signs, the parts of an emoji stay with what they belong to.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyfastlm.spelling.noise.keyboards import Neighbours
from pyfastlm.spelling.noise.phonetic import rewritten

FIRST = 0.2  # of the first letter of a word, others 1: as in the lists of codespell and Wikipedia
SPLIT = 4  # letters of a word that is written as two

Edit = tuple[int, int, str]
# Every edit of a sort that the text allows, given its letters.
Sort = Callable[["Letters"], list[Edit]]


class Letters(NamedTuple):
    """A text, and the places of letters that stand alone."""

    text: str
    places: Sequence[int]


def letters_of(text: str) -> Letters:
    """Where the letters are that may be changed."""
    return Letters(text, [at for at, letter in enumerate(text) if letter.isalpha() and _alone(text, at)])


def keyboard(neighbours: Neighbours, rng: random.Random) -> Sort:
    """A key beside the right one instead of it or after it; a key left out, or struck twice.

    Each of the four is as likely; of the keys beside, one is drawn.
    """

    def edits(letters: Letters) -> list[Edit]:
        way = rng.randrange(4)
        text, found = letters.text, []
        for place in letters.places:
            beside = neighbours.get(text[place].lower(), "")
            if way == 0:
                found.append((place, place + 1, ""))
            elif way == 1:
                found.append((place + 1, place + 1, text[place]))
            elif beside:
                key = rng.choice(beside)
                key = key.upper() if text[place].isupper() else key
                found.append((place, place + 1, key) if way == 2 else (place + 1, place + 1, key))
        return found

    return edits


def transposition(letters: Letters) -> list[Edit]:
    """Two letters beside each other in the wrong order."""
    text, places = letters.text, set(letters.places)
    return [
        (place, place + 2, text[place + 1] + text[place])
        for place in letters.places
        if place + 1 in places and text[place] != text[place + 1]
    ]


def phonetic(rewrites: Sequence[tuple[re.Pattern[str], str]]) -> Sort:
    """A spelling that sounds alike."""

    def edits(letters: Letters) -> list[Edit]:
        places = set(letters.places)
        return [edit for edit in rewritten(letters.text, rewrites) if places.issuperset(range(*edit[:2]))]

    return edits


def spacing(letters: Letters) -> list[Edit]:
    """A space that is not written, or one too many, inside a word of ``SPLIT`` letters or more."""
    text, places = letters.text, set(letters.places)
    dropped = [
        (place, place + 1, "")
        for place in range(1, len(text) - 1)
        if text[place] == " " and " " not in (text[place - 1], text[place + 1])
    ]
    added, begin = [], 0
    for word in text.split(" "):
        if len(word) >= SPLIT and places.issuperset(range(begin, begin + len(word))):
            added += [(begin + place, begin + place, " ") for place in range(1, len(word))]
        begin += len(word) + 1
    return dropped + added


def likelihood(text: str, edit: Edit) -> float:
    """How likely an edit is, others of its sort being 1."""
    begin, end, _ = edit
    first = begin < end and text[begin].isalpha() and (begin == 0 or not text[begin - 1].isalpha())
    return FIRST if first else 1.0


def _alone(text: str, place: int) -> bool:
    if text.isascii() or place + 1 == len(text):
        return True
    return unicodedata.category(text[place + 1]) not in ("Mn", "Mc", "Me", "Cf")
