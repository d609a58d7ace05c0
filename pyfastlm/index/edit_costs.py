"""How easily one text is written where another is meant: a table of costs, all of them parameters."""

import numbers
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from pyfastlm import _native
from pyfastlm.errors import InputError, InputTypeError

MOST_REWRITES = 64
MOST = 1e6  # of a cost

# What is written and what is meant, both ways: spellings that sound alike, and letters that look alike.
_ALIKE = (
    ("f", "ph"), ("f", "gh"), ("k", "c"), ("k", "ck"), ("c", "ck"), ("s", "c"), ("z", "s"), ("j", "g"),
    ("x", "cks"), ("kw", "qu"), ("sh", "ti"), ("sh", "ch"), ("ee", "ea"), ("ee", "ie"), ("ie", "ei"),
    ("i", "y"), ("i", "ee"), ("a", "e"), ("e", "i"), ("a", "o"), ("o", "u"), ("ou", "oo"), ("er", "or"),
    ("er", "re"), ("er", "ar"), ("w", "wh"), ("n", "kn"), ("r", "wr"), ("t", "th"),
)  # fmt: skip


def _both_ways(cost: float = 0.6) -> tuple[tuple[str, str, float], ...]:
    return tuple((a, b, cost) for pair in _ALIKE for a, b in (pair, pair[::-1]))


@dataclass(frozen=True)
class EditCosts:
    """The cost of each edit that leads from what was meant to what was written.

    Attributes:
        substitution: one character for another;
        near_key: for another whose key touches its own on the ``keyboard``.
        insertion: a character too much.
        omission: a character left out.
        doubling: a character too much, or left out, that is the same as the one before it.
        transposition: two neighbours exchanged.
        space: a space too much, or left out.
        first: factor of what it costs to exchange the first character for another, to leave it out, or to
            write one too much before it.
        keyboard: ``"qwerty"``, ``"qwertz"``, ``"azerty"``, or None.
        rewrites: triples (written, meant, cost), 64 at most: one spelling for another, as "f" for "ph".

    Raises:
        InputError: a cost is not from 0 to a million, there are too many rewrites, or one is of two empty
            texts.
    """

    substitution: float = 1.0
    near_key: float = 0.8
    insertion: float = 0.8
    omission: float = 0.5
    doubling: float = 0.4
    transposition: float = 0.5
    space: float = 0.5
    first: float = 1.1
    keyboard: str | None = "qwerty"
    rewrites: tuple[tuple[str, str, float], ...] = field(default_factory=_both_ways)

    def __post_init__(self) -> None:
        for name, cost in self._prices():
            _check(name, cost)
        if self.keyboard not in (None, "qwerty", "qwertz", "azerty"):
            raise InputError(
                f"keyboard: expected None, 'qwerty', 'qwertz' or 'azerty', got {self.keyboard!r}"
            )
        if len(self.rewrites) > MOST_REWRITES:
            raise InputError(f"rewrites: expected {MOST_REWRITES} at most, got {len(self.rewrites)}")
        for one in self.rewrites:
            if len(one) != 3 or not (isinstance(one[0], str) and isinstance(one[1], str)):
                raise InputTypeError(f"rewrites: expected triples (written, meant, cost), got {one!r}")
            if not (one[0] or one[1]):
                raise InputError("rewrites: expected a text, got two empty ones")
            _check("rewrites", one[2])

    def cost(self, written: str, meant: str) -> float:
        """The least cost of writing ``written`` for ``meant``, in single precision.

        Of all ways to edit one into the other, those are looked at that nowhere have more than 4 characters
        more of one text done than of the other, over the difference of their lengths.
        """
        for name, text in (("written", written), ("meant", meant)):
            if not isinstance(text, str):
                raise InputTypeError(f"{name}: expected a string, got {type(text).__name__}")
        return self.native.cost(written, meant)

    @cached_property
    def native(self) -> "_native.EditCosts":
        """The same for the index."""
        prices = [cost for _, cost in self._prices()]
        return _native.EditCosts(prices, self.keyboard, list(self.rewrites))

    def __getstate__(self) -> dict[str, Any]:  # for copies and pickles, which cannot have `native`
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def _prices(self) -> list[tuple[str, float]]:
        return [(one.name, getattr(self, one.name)) for one in fields(self)[:8]]


def _check(name: str, cost: float) -> None:
    if isinstance(cost, bool) or not isinstance(cost, numbers.Real):
        raise InputTypeError(f"{name}: expected a number as cost, got {cost!r}")
    if not 0 <= cost <= MOST:
        raise InputError(f"{name}: expected a cost from 0 to 1,000,000, got {cost!r}")
