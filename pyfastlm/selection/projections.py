"""From an estimate to a distribution over domains that repeats no text: Thrush et al. (2024), section 3.

Both choose w with sum w = 1 and 0 <= w_i <= tau_i, in float64, exactly: by sorting, in O(D log D), and never
by a search to a tolerance. |sum w - 1| <= 1e-12, and the bounds hold to the last bit.
"""

import math
from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.inputs import as_numpy, like

SLACK = 1e-12  # by which the sum of tau may miss 1: ten times 0.1 does
LARGEST = 1e300  # of an estimate, so that differences are finite


def linear(estimate: Any, tau: Any) -> Any:
    """The w that maximises the sum of estimate times w: the best domains in full, the next one with the rest.

    Only the order of the estimate counts, so it suits every estimator; among equals the first comes first.

    Args:
        estimate: [D], finite.
        tau: [D], the greatest weight of each domain, 0 or more, with a sum of 1 or more. The reference
            refuses 0; here it leaves a domain out.

    Returns:
        w [D] float64; a tensor for a tensor.

    Raises:
        InputError: a shape or a number is wrong, or the sum of ``tau`` is below 1.
    """
    values, caps = _checked(estimate, tau)
    order = np.argsort(-values)  # in any order of equals: only those at the edge are told apart, below
    last, _ = _edge(caps[order], 1.0)
    edge = values[order[last]]
    weights = np.where(values > edge, caps, 0.0)
    equals = np.flatnonzero(values == edge)
    last, rest = _edge(caps[equals], 1.0 - weights.sum())
    weights[equals[:last]] = caps[equals[:last]]
    weights[equals[last]] = rest
    return like(weights, estimate)


def l2(estimate: Any, tau: Any) -> Any:
    """The w nearest to the estimate: ``clip(estimate + c, 0, tau)`` for the c that makes the sum 1.

    The size of the estimate counts: rank correlations must be turned into weights first.

    Arguments, result and errors are those of ``linear``.
    """
    values, caps = _checked(estimate, tau)
    order = np.argsort(-values)
    falling, most = values[order], caps[order]
    count = _active(falling, most)
    # With c = c' - v, where v is the least estimate that is active, all that follows is between 0 and 1:
    # large estimates have cancelled, once and exactly.
    base = np.minimum(falling[:count] - falling[count - 1], most[:count])
    room = most[:count] - base
    raised = base + np.minimum(_level(room, 1.0 - base.sum()), room)
    weights = np.zeros_like(caps)
    weights[order[:count]] = np.minimum(raised, most[:count])
    return like(weights, estimate)


def _edge(most: Doubles, total: float) -> tuple[int, float]:
    """The place where ``total`` is used up if all before it get their most; and what is left for it."""
    last = min(int(np.searchsorted(np.cumsum(most), total)), len(most) - 1)
    rest = total - most[:last].sum()  # summed in pairs: the running sum may be off by a place
    while rest < 0.0 and last > 0:
        last -= 1
        rest += most[last]
    while rest > most[last] and last + 1 < len(most):
        rest -= most[last]
        last += 1
    return last, float(min(max(rest, 0.0), most[last]))


def _active(falling: Doubles, most: Doubles) -> int:
    """How many of the best domains are active: at v, the estimate of the last of them, the sum of
    min(estimate - v, tau) is not above 1. It grows from one domain to the next, so halving finds it.
    """

    def fits(count: int) -> bool:
        return bool(np.minimum(falling[:count] - falling[count - 1], most[:count]).sum() <= 1.0)

    low, high = 1, len(falling)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _level(room: Doubles, need: float) -> float:
    """The level to which all are filled, each up to its room, where ``need`` is put in."""
    rising = np.sort(room)
    before = np.concatenate([[0.0], np.cumsum(rising)[:-1]])
    left = np.arange(len(rising), 0, -1)
    full = int(np.searchsorted(before + left * rising, need))  # so many stay below the level
    full = min(full, len(rising) - 1)
    level = (need - rising[:full].sum()) / left[full]
    # Once more, for what rounding of the running sum left over.
    return float(level + (need - np.minimum(rising, level).sum()) / left[full])


def _checked(estimate: Any, tau: Any) -> tuple[Doubles, Doubles]:
    values = as_numpy(estimate, "estimate").astype(np.float64)
    caps = as_numpy(tau, "tau").astype(np.float64)
    if values.ndim != 1 or not values.size:
        raise InputError(f"estimate: expected [D], got shape {list(values.shape)}")
    if caps.shape != values.shape:
        raise InputError(f"tau: expected [{len(values)}], as estimate, got shape {list(caps.shape)}")
    if len(wrong := np.flatnonzero(~(np.abs(values) <= LARGEST))):
        raise InputError(f"estimate: expected finite numbers, got {values[wrong[0]]} for domain {wrong[0]}")
    if len(wrong := np.flatnonzero(~(caps >= 0))):
        raise InputError(f"tau: expected 0 or more, got {caps[wrong[0]]} for domain {wrong[0]}")
    caps = np.minimum(caps, 1.0)
    total = math.fsum(caps) if len(caps) < 1000 else float(caps.sum())
    if total < 1.0 - SLACK:
        raise InputError(f"tau: expected a sum of 1 or more, got {total:.6g}; lower the budget")
    return values, caps
