"""Which pages a budget of tokens takes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError

CANDIDATES = 16


class Choice(NamedTuple):
    """``taken`` [n] says which pages are taken whole; ``left`` tokens of the budget then remain.

    One of ``candidates``, pages in the order of their scores, is to be cut to fill them. ``lowest`` is the
    lowest score taken whole, NaN if none is.
    """

    taken: NDArray[np.bool_]
    left: int
    candidates: list[int]
    lowest: float


def budget_of(tokens: NDArray[np.int64], budget: int | None, keep: float | None) -> int:
    """The budget in tokens: ``budget`` itself, or the part ``keep`` of all tokens, rounded down.

    Raises:
        InputError: there are fewer tokens than that.
    """
    total = int(tokens.sum())
    wanted = budget if budget is not None else int((keep or 0) * total)
    if wanted > total:
        raise InputError(f"budget: expected at most {total:,} tokens, all there are, got {wanted:,}")
    return wanted


def choose(scores: NDArray[np.float64], tokens: NDArray[np.int64], budget: int) -> Choice:
    """Take pages by falling score, the first of equals first, until the next would exceed the budget.

    Args:
        scores: [n], NaN for pages that are not to be taken.
        tokens: [n], above 0 for the others.
        budget: at most the sum of their tokens.
    """
    order = np.argsort(-scores, kind="stable")  # NaN last
    order = order[: len(order) - int(np.isnan(scores).sum())]
    sums = np.cumsum(tokens[order])
    whole = int(np.searchsorted(sums, budget, side="right"))
    taken = np.zeros(len(scores), bool)
    taken[order[:whole]] = True
    left = budget - (int(sums[whole - 1]) if whole else 0)
    rest = order[whole:]
    able = rest[tokens[rest] >= left][:CANDIDATES] if left else rest[:0]
    lowest = float(scores[order[whole - 1]]) if whole else float("nan")
    return Choice(taken, left, able.tolist(), lowest)
