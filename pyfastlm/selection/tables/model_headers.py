"""Heads of columns that name a model: ``('family', 'org/name')`` in the tables of the reference package."""

import ast
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from pyfastlm.errors import InputError

Duplicates = Literal["raise", "drop"]
MOST_CHARACTERS = 1000  # of a head: what is longer, or nested, is none


def model_of(head: str, shown: str) -> tuple[str, str]:
    """Family and name in a head; a head that is no tuple is both.

    Raises:
        InputError: it starts like a tuple and is none of two names.
    """
    if not head.startswith("("):
        return head, head
    try:
        value = ast.literal_eval(head) if len(head) <= MOST_CHARACTERS else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, str) and v for v in value)):
        raise InputError(f"path: {shown!r} has the column {head[:80]!r}, expected ('family', 'name')")
    return value[0], value[1]


def head_of(family: str, name: str) -> str:
    """The head of a model's column."""
    return str((family, name))


def once(
    names: Sequence[str], duplicates: Duplicates, same: Callable[[int, int], bool], shown: str
) -> list[int]:
    """Places of names that come first; by ``"drop"``, later ones may have equal numbers.

    Raises:
        InputError: a name comes twice, with other numbers or against the rule.
    """
    if duplicates not in get_args(Duplicates):
        raise InputError(f"duplicates: expected one of {', '.join(get_args(Duplicates))}, got {duplicates!r}")
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        earlier = first.setdefault(name, place)
        if earlier == place:
            continue
        if not same(earlier, place):
            raise InputError(f"path: {shown!r} has the model {name!r} twice, with different numbers")
        if duplicates == "raise":
            raise InputError(
                f"path: {shown!r} has the model {name!r} twice, with the same numbers; "
                "pass duplicates='drop' to take the first"
            )
    return list(first.values())
