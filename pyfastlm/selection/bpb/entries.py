"""One model on its way from the list into the matrix, or out of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.bpb.models import Model
from pyfastlm.selection.bpb.tables import Scored


@dataclass(slots=True, eq=False)
class Entry:
    """What is known of a model so far; ``reason`` says why it is not in the matrix, empty while it is.

    ``missing`` counts documents without a score; ``duplicate_of`` is the name of an earlier, equal model.
    """

    model: Model
    family: str
    scored: Scored | None = None
    reason: str = ""
    duplicate_of: str | None = None
    missing: int = 0
    nats: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def name(self) -> str:
        """Its name in the matrix."""
        return self.model.label


def alive(entries: list[Entry]) -> list[Entry]:
    """Those that are still in."""
    return [entry for entry in entries if not entry.reason]


def settle(later: Entry, earlier: Entry, duplicates: str, entries: list[Entry], how: str) -> None:
    """Apply the rule for duplicates to ``later``, which equals ``earlier``.

    Raises:
        InputError: the rule is "raise".
    """
    if duplicates == "raise":
        raise InputError(
            f"models: {later.name!r} and {earlier.name!r} {how}; leave one out, or pass duplicates='drop' "
            "or 'family' (what is scored is kept)"
        )
    later.duplicate_of = earlier.name
    if duplicates == "drop":
        later.reason = f"it and {earlier.name!r} {how}"
        return
    names = {later.family, earlier.family}
    first = next(entry.family for entry in entries if entry.family in names)
    for entry in entries:
        if entry.family in names:
            entry.family = first
