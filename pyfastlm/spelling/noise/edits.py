"""Single errors of each sort: what goes from a text, and what comes in its place.

An edit is (begin, end, instead). It takes letters only. Marks that are code points of their own, such as
accents and vowel signs, go with the letter before them; emojis are left alone, with what is part of them.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pyfastlm.spelling.noise.keyboards import Neighbours
from pyfastlm.spelling.noise.phonetic import rewritten

FIRST = 0.2  # of the first letter of a word, others 1: as in the lists of codespell and Wikipedia
SPLIT = 4  # letters of a word that is written as two

Edit = tuple[int, int, str]
# Every edit of a sort that the text allows, given its letters.
Sort = Callable[["Letters"], list[Edit]]


class Letters(NamedTuple):
    """A text, and where its letters begin and end, with their marks."""

    text: str
    spans: Sequence[tuple[int, int]]


def letters_of(text: str) -> Letters:
    """Where the letters are that may be changed."""
    if text.isascii():
        return Letters(text, [(at, at + 1) for at, letter in enumerate(text) if letter.isalpha()])
    return Letters(text, list(_spans(text)))


def keyboard(neighbours: Neighbours, rng: random.Random) -> Sort:
    """A key beside the right one instead of it or after it; a key left out, or struck twice.

    Each of the four is as likely; of the keys beside, one is drawn.
    """

    def edits(letters: Letters) -> list[Edit]:
        way = rng.randrange(4)
        text, found = letters.text, []
        for begin, end in letters.spans:
            beside = neighbours.get(text[begin:end].lower(), "")
            if way == 0:
                found.append((begin, end, ""))
            elif way == 1:
                found.append((end, end, text[begin:end]))
            elif beside:
                key = _cased(rng.choice(beside), text[begin])
                found.append((begin, end, key) if way == 2 else (end, end, key))
        return found

    return edits


def transposition(letters: Letters) -> list[Edit]:
    """Two letters beside each other in the wrong order; a capital stays where it was: "Teh" and not "eTh"."""
    text, found = letters.text, []
    for (begin, middle), (other, end) in zip(letters.spans, letters.spans[1:], strict=False):
        first, second = text[begin:middle], text[other:end]
        swapped = _cased(second, first) + _cased(first, second)
        if middle == other and swapped != first + second:
            found.append((begin, end, swapped))
    return found


def phonetic(rewrites: Sequence[tuple[re.Pattern[str], str]]) -> Sort:
    """A spelling that sounds alike."""

    def edits(letters: Letters) -> list[Edit]:
        places = {begin for begin, end in letters.spans if end == begin + 1}
        return [edit for edit in rewritten(letters.text, rewrites) if places.issuperset(range(*edit[:2]))]

    return edits


def spacing(letters: Letters) -> list[Edit]:
    """A space that is not written, or one too many, inside a word of ``SPLIT`` letters or more."""
    text = letters.text
    found = [
        (place, place + 1, "")
        for place in range(1, len(text) - 1)
        if text[place] == " " and " " not in (text[place - 1], text[place + 1])
    ]
    inside = {place for begin, end in letters.spans for place in range(begin, end)}
    begins = [begin for begin, _ in letters.spans]
    start = 0
    for word in text.split(" "):
        end = start + len(word)
        if inside.issuperset(range(start, end)):
            of_word = [begin for begin in begins if start <= begin < end]
            if len(of_word) >= SPLIT:
                found += [(begin, begin, " ") for begin in of_word[1:]]
        start = end + 1
    return found


def likelihood(text: str, edit: Edit) -> float:
    """How likely an edit is, others of its sort being 1."""
    begin, end, _ = edit
    first = begin < end and text[begin].isalpha() and (begin == 0 or not text[begin - 1].isalpha())
    return FIRST if first else 1.0


def _cased(letter: str, like: str) -> str:
    """A capital where ``like`` is one, small where it is small, if the letter has both."""
    other = letter.upper() if like.isupper() else letter.lower() if like.islower() else letter
    return other if len(other) == len(letter) else letter


def _spans(text: str) -> Iterator[tuple[int, int]]:
    place = 0
    while place < len(text):
        end = place + 1
        while end < len(text) and unicodedata.category(text[end]) in ("Mn", "Mc") and not _joins(text[end]):
            end += 1
        if text[place].isalpha() and not (end < len(text) and _joins(text[end])):
            yield place, end
        place = end


def _joins(sign: str) -> bool:
    """It makes an emoji, or another form of a letter, of what stands before it."""
    return "\ufe00" <= sign <= "\ufe0f" or unicodedata.category(sign) in ("Me", "Cf")
