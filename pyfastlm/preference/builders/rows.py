"""Rows that builders take: a prompt and one or two answers to it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pyfastlm.errors import InputError, InputTypeError


class Row(NamedTuple):
    """A prompt, and an answer to it."""

    prompt: str
    response: str


class TwoAnswers(NamedTuple):
    """A prompt, and two answers to it."""

    prompt: str
    first: str
    second: str


def rows_of(rows: Iterable[Any]) -> list[Row]:
    """Pairs (prompt, response), or mappings with these keys, as rows.

    Raises:
        InputError, InputTypeError: one is something else (names it), or not Unicode.
    """
    return [Row(*_texts(row, number, ("prompt", "response"))) for number, row in enumerate(_many(rows))]


def two_answers_of(rows: Iterable[Any]) -> list[TwoAnswers]:
    """Triples (prompt, first, second), or mappings with these keys, as rows.

    Raises:
        InputError, InputTypeError: as :func:`rows_of`.
    """
    names = ("prompt", "first", "second")
    return [TwoAnswers(*_texts(row, number, names)) for number, row in enumerate(_many(rows))]


def _many(rows: Iterable[Any]) -> Iterable[Any]:
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise InputTypeError(f"rows: expected many rows, got {type(rows).__name__}")
    return rows


def _texts(row: Any, number: int, names: tuple[str, ...]) -> list[str]:
    if isinstance(row, Mapping):
        if missing := [name for name in names if name not in row]:
            raise InputError(
                f"rows: row {number} has no {missing[0]!r}; its keys are {', '.join(map(str, row))}"
            )
        values = [row[name] for name in names]
    elif isinstance(row, tuple | list) and len(row) == len(names):
        values = list(row)
    else:
        raise InputTypeError(
            f"rows: expected ({', '.join(names)}), or a mapping with these keys; row {number} is {row!r:.60}"
        )
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, str):
            raise InputTypeError(
                f"rows: expected a text as {name!r} of row {number}, got {type(value).__name__}"
            )
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"rows: {name!r} of row {number} is no Unicode: lone surrogate at {error.start}"
            ) from None
    return values
