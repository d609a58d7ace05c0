"""Read lists of misspellings."""

from collections.abc import Iterable
from itertools import chain, islice, zip_longest

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.spelling.lines import text_lines, wrong
from pyfastlm.spelling.pair import Pair
from pyfastlm.spelling.pairs import forms
from pyfastlm.spelling.pairs.forms import Format

LOOKED_AT = 100  # lines that tell the format


def read_pairs(path: StrPath, *, format: Format | None = None) -> list[Pair]:
    """The pairs of a file, in its order; also those whose misspelling is none.

    ====================  ===========================================  ==============================
    format                line                                         of
    ====================  ===========================================  ==============================
    ``"tab"``             misspelling TAB correction [TAB class]       anybody
    ``"arrow"``           misspelling->correction                      codespell's dictionary.txt
    ``"colon"``           correct: wrong1 wrong2 (``_`` for a space)   Wikipedia's list, Norvig's sets
    ``"csv"``             correction,word (its header; either order)   Wikipedia's list
    ``"distance"``        misspelling correction distance              SymSpell's benchmark
    ====================  ===========================================  ==============================

    Lines of codespell with several corrections are left out: none of them is the right one. Spaces around
    a text are no part of it, case is as it stands.

    Args:
        path: a file of UTF-8, also ``.gz`` or ``.zst``.
        format: one of the table; by default seen by the first ``LOOKED_AT`` lines, where only one fits.

    Raises:
        InputError: the file or one of its lines is not what it should be, or its format cannot be told; names
            path and line.
    """
    if format is not None:
        forms.check(format)
    numbered = text_lines(path)
    first = list(islice(numbered, LOOKED_AT))
    try:
        form = format or forms.recognised([line for _, line in first])
        parse, header = forms.parser_of(form, first[0][1])
    except ValueError as error:
        raise wrong(path, first[0][0], str(error)) from None
    pairs: list[Pair] = []
    for number, line in chain(first[header:], numbered):
        try:
            pairs.extend(parse(line))
        except ValueError as error:
            raise wrong(path, number, str(error)) from None
    if not pairs:
        raise InputError(f"path: {str(path)!r} has no pair")
    return pairs


def read_aligned(noisy: StrPath, gold: StrPath) -> list[Pair]:
    """The pairs of two files of lines ``id TAB query``, as of MS MARCO: same ids, same order.

    Where the noisy file was made from queries in small letters, case differs as well: see :func:`lowered`.

    Raises:
        InputError: a file or a line is not what it should be, or the two do not agree; names path and line.
    """
    pairs = []
    for one, other in zip_longest(text_lines(noisy), text_lines(gold)):
        if one is None:
            raise wrong(gold, other[0], f"{str(noisy)!r} has fewer lines")
        if other is None:
            raise wrong(noisy, one[0], f"{str(gold)!r} has fewer lines")
        (name, typed), (other_name, meant) = _query(noisy, *one), _query(gold, *other)
        if name != other_name:
            raise wrong(noisy, one[0], f"the id is {name!r}, that in {str(gold)!r} is {other_name!r}")
        pairs.append(Pair(typed, meant))
    return pairs


def lowered(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs in small letters, with single spaces: for data whose noisy side was made so.

    It takes a part of the task away where both sides have capitals: say so beside the numbers.
    """
    return [
        Pair(" ".join(noisy.lower().split()), " ".join(gold.lower().split()), kind)
        for noisy, gold, kind in pairs
    ]


def _query(path: StrPath, number: int, line: str) -> tuple[str, str]:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != 2 or not all(cells):
        raise wrong(path, number, f"expected id TAB query, got {len(cells)} column(s), or an empty one")
    return cells[0], cells[1]
