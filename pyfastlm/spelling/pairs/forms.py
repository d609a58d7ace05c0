"""The forms in which lists of misspellings are published: one line of each to pairs, and how to tell them."""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

from pyfastlm.errors import InputError
from pyfastlm.spelling.pair import Pair

Format = Literal["tab", "arrow", "colon", "csv", "distance"]
FORMATS: tuple[Format, ...] = get_args(Format)
HEADER = {"correction", "word"}

# Of a line; raises ValueError with the reason where it is none of its form.
Parser = Callable[[str], Iterator[Pair]]


def parser_of(form: Format, first: str) -> tuple[Parser, bool]:
    """What reads the lines of a form, and whether the ``first`` one is its header.

    Raises:
        ValueError: the header is missing.
    """
    if form != "csv":
        return {"tab": _tab, "arrow": _arrow, "colon": _colon, "distance": _distance}[form], False
    names = _cells(first)
    if set(names) != HEADER or len(names) != len(HEADER):
        raise ValueError(f"expected the header correction,word, got {_shown(first)}")
    return lambda line: _csv(line, names.index("word"), names.index("correction")), True


def recognised(first: Sequence[str]) -> Format:
    """The form of a file whose first lines are ``first``; all of them must agree.

    Raises:
        ValueError: none or several forms fit, or what fits is not certain.
    """
    if set(_cells(first[0])) == HEADER:
        return "csv"
    fits = [form for form in FORMATS if form != "csv" and all(_fits(form, line) for line in first)]
    if len(fits) != 1:
        raise ValueError(f"cannot tell the format from {_shown(first[0])}; name it: {', '.join(FORMATS)}")
    # The first line may be a header.
    if fits == ["tab"] and all(line.partition("\t")[0].strip().isdecimal() for line in first[1:] or first):
        raise ValueError(
            "the first column is of numbers; two files of queries with ids are read by read_aligned, "
            'else name format="tab"'
        )
    return fits[0]


def check(form: str) -> None:
    """Raise :class:`InputError` where ``form`` is no name of a format."""
    if form not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {form!r}")


def _fits(form: Format, line: str) -> bool:
    try:
        list(parser_of(form, line)[0](line))
    except ValueError:
        return False
    # A looser form may take the line of a stricter one for a misspelling with signs in it.
    return form == "tab" or "\t" not in line


def _tab(line: str) -> Iterator[Pair]:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) not in (2, 3):
        raise ValueError(f"expected misspelling TAB correction [TAB class], got {_columns(len(cells))}")
    yield _pair(*cells)


def _arrow(line: str) -> Iterator[Pair]:
    """Of codespell: lines with several corrections have no single right answer and are left out."""
    noisy, arrow, right = line.partition("->")
    if not arrow:
        raise ValueError(f"expected misspelling->correction, got {_shown(line)}")
    # What follows the last comma is a remark.
    choices = [choice.strip() for choice in right.rpartition(",")[0].split(",")] if "," in right else [right]
    pairs = [_pair(noisy, choice) for choice in choices]
    if len(pairs) == 1:
        yield pairs[0]


def _colon(line: str) -> Iterator[Pair]:
    """Of Wikipedia and Norvig; an underscore stands for a space, since spaces part the misspellings."""
    gold, colon, wrong = line.partition(":")
    words = wrong.split()
    if not colon or not words or len(gold.split()) != 1:
        raise ValueError(f"expected correct: wrong1 wrong2, got {_shown(line)}")
    for word in words:
        yield _pair(word.replace("_", " "), gold.replace("_", " "))


def _distance(line: str) -> Iterator[Pair]:
    cells = line.split()
    if len(cells) != 3 or not cells[2].isdecimal():
        raise ValueError(f"expected misspelling correction distance, got {_shown(line)}")
    yield _pair(cells[0], cells[1])


def _csv(line: str, word: int, correction: int) -> Iterator[Pair]:
    cells = _cells(line)
    if len(cells) != len(HEADER):
        raise ValueError(f"expected correction,word, got {_columns(len(cells))}")
    yield _pair(cells[word], cells[correction])


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True), [])]
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def _pair(noisy: str, gold: str, kind: str = "") -> Pair:
    pair = Pair(noisy.strip(), gold.strip(), kind)
    if not pair.noisy or not pair.gold:
        raise ValueError(f"the {'misspelling' if not pair.noisy else 'correction'} is empty")
    return pair


def _columns(count: int) -> str:
    return f"{count} column{'s' * (count != 1)}"


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else line[:57] + "...")
