"""How much the two answers of a pair differ."""

import re
from typing import NamedTuple

from pyfastlm._require import require
from pyfastlm.preference.pairs import PreferencePair

WORD = re.compile(r"\S+")


class Span(NamedTuple):
    """Words that differ, as places in the texts: rejected[start:end] became chosen[start:end].

    Words that were only left out, or only put in, have an empty range on the other side.
    """

    rejected: tuple[int, int]
    chosen: tuple[int, int]


class Contrast(NamedTuple):
    """Of one pair.

    Attributes:
        jaccard: of the two sets of words (what white space separates), in [0, 1].
        levenshtein: edits of characters between the two texts.
        changed: edits of words, as a share of the words of the longer text, in [0, 1].
        length_ratio: characters of the chosen answer for each of the rejected one.
        spans: where words differ, from left to right.
    """

    jaccard: float
    levenshtein: int
    changed: float
    length_ratio: float
    spans: tuple[Span, ...]


def contrast(pair: PreferencePair) -> Contrast:
    """Measure one pair; of two empty texts everything is equal.

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """
    levenshtein = require("rapidfuzz.distance", "preference").Levenshtein
    before, after = ([*WORD.finditer(text)] for text in (pair.rejected, pair.chosen))
    old, new = ([word[0] for word in words] for words in (before, after))
    edits = levenshtein.opcodes(old, new)
    union = {*old, *new}
    spans = tuple(
        Span(
            _range(before, edit.src_start, edit.src_end, pair.rejected),
            _range(after, edit.dest_start, edit.dest_end, pair.chosen),
        )
        for edit in edits
        if edit.tag != "equal"
    )
    return Contrast(
        jaccard=len({*old} & {*new}) / len(union) if union else 1.0,
        levenshtein=levenshtein.distance(pair.rejected, pair.chosen),
        changed=levenshtein.normalized_distance(old, new),
        length_ratio=len(pair.chosen) / max(1, len(pair.rejected)),
        spans=spans,
    )


def _range(words: list[re.Match[str]], start: int, end: int, text: str) -> tuple[int, int]:
    if start < end:
        return words[start].start(), words[end - 1].end()
    place = words[start].start() if start < len(words) else len(text)
    return place, place
