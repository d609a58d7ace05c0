"""Spellings that sound alike in English, as a table of rewrites."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pyfastlm.errors import InputError


class Rewrite(NamedTuple):
    """What is heard alike: a regular expression, and what is written instead of what it matches."""

    pattern: str
    written: str


# Either is written for the other.
ALIKE = (
    ("ph", "f"), ("ck", "k"), ("ee", "i"), ("ee", "ea"), ("ie", "ei"), ("ai", "ay"), ("ai", "a"), ("oo", "u"),
    ("ou", "ow"), ("ou", "u"), ("au", "aw"), ("au", "o"), ("oa", "o"), ("ey", "y"), ("qu", "kw"),
    ("sch", "sk"), ("cks", "x"), ("dge", "ge"), ("tch", "ch"), ("tion", "sion"), ("able", "ible"),
    ("ance", "ence"), ("ant", "ent"), ("ary", "ery"), ("ph", "v"),
)  # fmt: skip
# These only where they stand.
IN_PLACE = (
    Rewrite(r"c(?=[eiy])", "s"),
    Rewrite(r"s(?=[eiy])", "c"),
    Rewrite(r"c(?=[aoulr])", "k"),
    Rewrite(r"k(?=[aoulr])", "c"),
    Rewrite(r"c\b", "k"),
    Rewrite(r"g(?=[eiy])", "j"),
    Rewrite(r"j(?=[eiy])", "g"),
    Rewrite(r"(?<=[aeiou])s(?=[aeiou])", "z"),
    Rewrite(r"z", "s"),
    Rewrite(r"(?<=[^\W\d_])y(?=[^\W\d_aeiou])", "i"),
    Rewrite(r"(?<=[^\W\d_])i(?=[^\W\d_aeiou])", "y"),
    Rewrite(r"\bkn", "n"),
    Rewrite(r"\bwr", "r"),
    Rewrite(r"\bps", "s"),
    Rewrite(r"\brh", "r"),
    Rewrite(r"\bwh", "w"),
    Rewrite(r"ch(?=[rlm])", "k"),
    Rewrite(r"sc(?=[eiy])", "s"),
    Rewrite(r"gh(?=t|\b)", ""),
    Rewrite(r"mb\b", "m"),
    Rewrite(r"mn\b", "m"),
    Rewrite(r"(?<=[^\W\d_aeiou])e\b", ""),
    Rewrite(r"(?<=[^\W\d_])er\b", "or"),
    Rewrite(r"(?<=[^\W\d_])or\b", "er"),
    Rewrite(r"(?<=[^\W\d_])ar\b", "er"),
    Rewrite(r"le\b", "el"),
    # Vowels that are not stressed, inside a word.
    Rewrite(r"(?<=[^\W\d_aeiou])a(?=[^\W\d_aeiou])", "e"),
    Rewrite(r"(?<=[^\W\d_aeiou])e(?=[^\W\d_aeiou])", "a"),
    Rewrite(r"(?<=[^\W\d_aeiou])e(?=[^\W\d_aeiou])", "i"),
    Rewrite(r"(?<=[^\W\d_aeiou])i(?=[^\W\d_aeiou])", "e"),
    Rewrite(r"(?<=[^\W\d_aeiou])o(?=[^\W\d_aeiou])", "a"),
    Rewrite(r"(?<=[^\W\d_aeiou])u(?=[^\W\d_aeiou])", "o"),
    # One letter for two, two for one between vowels.
    Rewrite(r"(?<=[^\W\d_])([bcdfglmnprstz])\1", r"\1"),
    Rewrite(r"(?<=[aeiou])([bcdfglmnprstz])(?=[aeiouy])", r"\1\1"),
    Rewrite(r"(e)e", r"\1"),
    Rewrite(r"(o)o", r"\1"),
)
PHONETIC: tuple[Rewrite, ...] = (
    *(Rewrite(first, second) for first, second in ALIKE),
    *(Rewrite(second, first) for first, second in ALIKE if len(second) > 1),
    Rewrite(r"f", "ph"),
    Rewrite(r"x", "cks"),
    Rewrite(r"(?<=[^\W\d_aeiou])i(?=[^\W\d_aeiou])", "ee"),
    Rewrite(r"(?<=[aeiou])k(?=[aeiou]|\b)", "ck"),
    *IN_PLACE,
)


@lru_cache(maxsize=8)
def compiled(rewrites: tuple[Rewrite, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The table, ready for use.

    Raises:
        InputError: a pattern or what is written for it is none.
    """
    found = []
    for pattern, written in rewrites:
        try:
            expression = re.compile(pattern, re.IGNORECASE)
            # Groups that are not there show only when something matches: say so now.
            re.compile(f"(?:{pattern})|").sub(written, "")
        except (re.error, TypeError) as error:
            raise InputError(f"rewrites: expected patterns, got {pattern!r}, {written!r}: {error}") from None
        found.append((expression, written))
    return tuple(found)


def rewritten(text: str, rewrites: Sequence[tuple[re.Pattern[str], str]]) -> list[tuple[int, int, str]]:
    """Every rewrite that the text allows: begin and end of what goes, and what comes in its place."""
    return [
        (match.start(), match.end(), _as_written(match, match.expand(written)))
        for pattern, written in rewrites
        for match in pattern.finditer(text)
        if match[0]
    ]


def _as_written(match: re.Match[str], after: str) -> str:
    """In capitals where those around are, or with a capital where one was."""
    around = match.string[max(match.start() - 1, 0) : match.end() + 1].strip()
    if len(around) > 1 and around.isupper():
        return after.upper()
    return after[:1].upper() + after[1:] if match[0][0].isupper() else after
