"""A scored text as pieces that can be coloured: tokens, joined where they share what is drawn."""

import math
import unicodedata
from dataclasses import dataclass

from pyfastlm.lm import TokenScores

JOINER = "\u200d"
VIRAMA = 9  # combining class: makes one shape of the letters around it


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text and the bits of each token that it took."""

    text: str
    token_bits: tuple[float, ...]

    @property
    def bits(self) -> float:
        """Of the whole piece."""
        return sum(self.token_bits)


def pieces(text: str, scores: TokenScores) -> list[Piece]:
    """Split ``text`` by its tokens; the pieces put together are the text.

    Tokens that share a character (of several bytes) become one piece, and so do tokens that would part a
    letter from its marks. What no token covers goes to the piece that follows.
    """
    starts: list[int] = []
    groups: list[list[float]] = []
    covered = 0
    for (start, stop), logp in zip(scores.spans.tolist(), scores.logp.tolist(), strict=True):
        if groups and (start < covered or _joined(text, covered)):
            groups[-1].append(-logp / math.log(2))
        else:
            starts.append(covered)
            groups.append([-logp / math.log(2)])
        covered = max(covered, stop)
    stops = [*starts[1:], len(text)]
    return [Piece(text[a:b], tuple(g)) for a, b, g in zip(starts, stops, groups, strict=True)]


def _joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of ``at`` are drawn as one."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return (
        unicodedata.category(after)[0] == "M"
        or JOINER in (before, after)
        or unicodedata.combining(before) == VIRAMA
    )
