"""A scored text in colour: its tokens, joined where they share what is drawn."""

import math
import unicodedata
from dataclasses import dataclass
from html import escape

from pyfastlm.lm import TokenScores

SHADES = (1, 2, 4, 6, 8, 12, 16)  # bits where the next shade begins
# HTML has no way to hold these characters, so their pictures are shown.
PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}
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
    letter from its marks. What no token covers goes to the piece that follows, and tokens without text
    (special ones) to a piece beside them.
    """
    starts: list[int] = []
    groups: list[list[float]] = []
    covered = 0
    for (start, stop), logp in zip(scores.spans.tolist(), scores.logp.tolist(), strict=True):
        if groups and (start < covered or covered == starts[-1] or _joined(text, covered)):
            groups[-1].append(-logp / math.log(2))
        else:
            starts.append(covered)
            groups.append([-logp / math.log(2)])
        covered = max(covered, stop)
    if not groups:
        return [Piece(text, ())] if text else []
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


def coloured(text: str, scores: TokenScores) -> str:
    """``text`` as HTML, a ``span`` for each piece: its shade, and its numbers for who points at it."""
    return "".join(map(_span, pieces(text, scores)))


def shades() -> str:
    """What the colours mean, as HTML."""
    edges = [0, *SHADES]
    names = [f"{a}–{b}" for a, b in zip(edges, SHADES, strict=False)] + [f"≥ {SHADES[-1]}"]
    keys = "".join(f'<span class="s{n}">{name}</span>' for n, name in enumerate(names))
    return f'<p class="shades">{keys} <span class="note">bits</span></p>'


def _span(piece: Piece) -> str:
    shade = sum(piece.bits >= edge for edge in SHADES)
    line = " nl" if "\n" in piece.text else ""
    text, readout = escape(_shown(piece.text)), escape(_readout(piece))
    return f'<span class="s{shade}{line}" data-i="{readout}">{text}</span>'


def _readout(piece: Piece) -> str:
    # Isolated, so that right-to-left text does not turn the numbers around.
    name = "\u2068" + _shown(piece.text).replace(" ", "␣").replace("\n", "↵") + "\u2069"
    several = f" in {len(piece.token_bits)} tokens" if len(piece.token_bits) > 1 else ""
    nats = piece.bits * math.log(2)
    return f"{name}{several}: {piece.bits:.2f} bits, {nats:.2f} nats, p = {math.exp(-nats):.3g}"


def _shown(text: str) -> str:
    return text.translate(PICTURES)
