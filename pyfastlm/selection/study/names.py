"""Names and numbers as they are shown; names come from files, so they may hold anything."""

import math


def shown(name: str, longest: int | None = None) -> str:
    """``name`` in one line of printable characters; cut where it is longer than ``longest``."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return plain if longest is None or len(plain) <= longest else plain[: longest - 1] + "…"


def number(value: float, form: str) -> str:
    """``value`` in a cell; empty for NaN."""
    return "" if math.isnan(value) else format(value, form)


def interval(low: float, high: float, form: str) -> str:
    """Both ends in a cell; empty for NaN."""
    return f"{number(low, form)} {number(high, form)}".strip()
