"""How terms and prefixes are brought into one form before they are compared."""

import unicodedata
from collections.abc import Callable
from typing import Literal, get_args

from pyfastlm.errors import InputError

Normalizer = Literal["none", "nfkc_casefold"]
NAMES: tuple[Normalizer, ...] = get_args(Normalizer)  # a file names one by its place here


def number_of(normalizer: str) -> int:
    """The number of a normalizer in the header of a file.

    Raises:
        InputError: there is none of this name.
    """
    if normalizer not in NAMES:
        raise InputError(f"normalizer: expected one of {', '.join(NAMES)}, got {normalizer!r}")
    return NAMES.index(normalizer)


def nfkc_casefold(text: str) -> str:
    """NFKC, case folded, every run of white space one space, none in front.

    A space at the end stays: "net " begins other terms than "net".
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.split())
    return words + " " if words and folded[-1].isspace() else words


def of_term(number: int) -> Callable[[str], str] | None:
    """What a whole term goes through; None where it stays as it is."""
    return None if NAMES[number] == "none" else lambda text: nfkc_casefold(text).rstrip(" ")


def of_prefix(number: int) -> Callable[[str], str] | None:
    """What the beginning of a term goes through; None where it stays as it is."""
    return None if NAMES[number] == "none" else nfkc_casefold
