"""Results for people (tables) and for machines (JSON) on standard output."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], total: Sequence[str] = ()
) -> None:
    """Print ``rows`` under ``columns``, the first to the left and the rest to the right, ``total`` last."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    if total:
        shown.add_section()
        shown.add_row(*total)
    Console().print(shown, markup=False)


def as_json(value: dict[str, Any]) -> None:
    """Print ``value`` as one strict JSON object; NaN and infinities become null."""
    print(json.dumps(_strict(value), indent=2, allow_nan=False))


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | str | None) else str(value)
