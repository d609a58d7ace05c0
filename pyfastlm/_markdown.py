"""Tables of a report as Markdown, whatever their texts hold."""

import re
from collections.abc import Sequence
from typing import NamedTuple

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#$~])")


class Table(NamedTuple):
    """A table, with a line below that says how to read it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str


def written(table: Table) -> str:
    """The table under its title, its first column to the left and the others to the right."""
    lines = [
        f"### {plain(table.title)}",
        "",
        _row(table.columns),
        "|---|" + "---:|" * (len(table.columns) - 1),
        *map(_row, table.rows),
        "",
        plain(table.note),
    ]
    return "\n".join(lines)


def plain(value: str) -> str:
    """Text that Markdown does not read as more than text, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(value.split()))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(plain, cells))} |"
