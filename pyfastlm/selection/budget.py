"""Tokens: the greatest weight of each domain for a budget, and a budget divided by weights, to the token."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.inputs import as_numpy, like


def bounds(tokens: Any, *, keep: float | None = None, budget: int | None = None, repeats: float = 1.0) -> Any:
    """``tau`` for the projections: the weight at which a domain's text is used up.

    With a budget of B tokens, domain i lasts for a weight of ``repeats * tokens_i / B``.

    Args:
        tokens: [D], how many each domain has, 0 or more.
        keep: the part of all tokens to train on, above 0 and up to 1: B is ``keep`` times their sum.
        budget: B itself, in tokens. Give one of the two.
        repeats: how often a text may be used.

    Returns:
        [D] float64; a tensor for a tensor.

    Raises:
        InputError: a number is wrong, or the tokens do not suffice for the budget.
    """
    counts = _counts(tokens)
    if (keep is None) == (budget is None):
        raise InputError("keep: expected keep or budget, one of the two")
    if not (np.isfinite(repeats) and repeats > 0):
        raise InputError(f"repeats: expected a number above 0, got {repeats!r}")
    total = float(counts.sum())
    if keep is not None and not 0 < keep <= 1:
        raise InputError(f"keep: expected a part above 0 and up to 1, got {keep!r}")
    if budget is not None and budget < 1:
        raise InputError(f"budget: expected 1 token or more, got {budget!r}")
    wanted = float(budget) if budget is not None else float(keep or 0) * total
    if wanted > total * repeats:
        raise InputError(
            f"budget: expected at most {total * repeats:,.0f} tokens, all there are, got {wanted:,.0f}"
        )
    if not wanted:
        raise InputError("tokens: expected some, got 0 in all domains")
    return like(counts * (repeats / wanted), tokens)


def allot(weights: Any, budget: int, *, tokens: Any = None) -> Any:
    """``budget`` tokens divided over domains by their ``weights``: whole numbers with that sum.

    Each gets its share rounded down, and what is left goes to the greatest remainders, the first of equals.

    Args:
        weights: [D], 0 or more, with a sum of 1 (to 1e-9).
        budget: tokens to give out.
        tokens: [D], whole numbers that no domain is to exceed; by default no limit.

    Returns:
        [D] int64; a tensor for a tensor.

    Raises:
        InputError: a number is wrong, or some domain has fewer tokens than its share rounded down, or all
            together have too few.
    """
    shares = as_numpy(weights, "weights").astype(np.float64)
    if shares.ndim != 1 or not shares.size or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise InputError("weights: expected [D], 0 or more, with a sum of 1, as a projection gives them")
    if isinstance(budget, bool) or not isinstance(budget, int) or not 0 <= budget < 1 << 53:
        raise InputError(f"budget: expected a whole number of tokens, got {budget!r}")
    most = np.full(len(shares), budget, np.int64)
    if tokens is not None:
        counts = _counts(tokens)
        if counts.shape != shares.shape:
            raise InputError(f"tokens: expected [{len(shares)}], as weights, got shape {list(counts.shape)}")
        most = np.minimum(counts, budget).astype(np.int64)
    exact = shares * budget
    given = np.floor(exact).astype(np.int64)
    # A share that is all of a domain may lie a rounding error beyond it.
    if len(over := np.flatnonzero(given > most + np.ceil(exact * 1e-9).astype(np.int64))):
        raise InputError(
            f"tokens: domain {over[0]} has {most[over[0]]:,}, its share is {given[over[0]]:,}; use bounds()"
        )
    given = np.minimum(given, most)
    return like(_complete(given, most, exact - given, budget), weights)


def _complete(
    given: NDArray[np.int64], most: NDArray[np.int64], left: NDArray[np.float64], budget: int
) -> NDArray[np.int64]:
    """``given`` changed to sum to ``budget``: token by token, in the order of what is ``left``."""
    missing = budget - int(given.sum())
    order = np.argsort(-left, kind="stable")
    if missing < 0:  # the weights sum to a little more than 1
        order, room, step = order[::-1], given, -1
    else:
        room, step = most - given, 1
    while missing:
        able = order[room[order] > 0][: abs(missing)]
        if not len(able):
            raise InputError(f"tokens: {missing:,} too few for a budget of {budget:,}")
        given[able] += step
        room = given if step < 0 else most - given
        missing -= step * len(able)
    return given


def _counts(tokens: Any) -> NDArray[np.float64]:
    counts = as_numpy(tokens, "tokens").astype(np.float64)
    if counts.ndim != 1 or not counts.size:
        raise InputError(f"tokens: expected [D], got shape {list(counts.shape)}")
    if len(wrong := np.flatnonzero(~((counts >= 0) & np.isfinite(counts)))):
        raise InputError(f"tokens: expected 0 or more, got {counts[wrong[0]]} for domain {wrong[0]}")
    return counts
