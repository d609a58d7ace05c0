"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, TR-10-98, section 3)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.lm.ngram.counting import Counts
from pyfastlm.lm.ngram.keys import BEGIN, SYMBOLS, Keys, contexts, farthest, find, firsts, shorten

Discounts = tuple[float, float, float]
FALLBACK: Discounts = (0.5, 1.0, 1.5)  # where there are too few counts to estimate them from, as in KenLM


class Level(NamedTuple):
    """The n-grams of one order: ``logp`` of each key, ``backoff`` of each context; both natural logarithms.

    ``keys`` and ``contexts`` rise. A symbol that was not seen in a context has the probability of the order
    below times the backoff of the context; a context that was not seen has backoff 1.
    """

    keys: Keys
    logp: NDArray[np.float32]
    contexts: Keys
    backoff: NDArray[np.float32]


def smooth(counts: Counts, order: int) -> tuple[list[Level], list[Discounts]]:
    """Levels 1 .. ``order`` and their discounts, from the counts of the longest n-grams.

    Below the highest order an n-gram counts by the distinct symbols before it, except at the beginning of a
    text, before which there is nothing. An order whose discounts cannot be estimated takes ``FALLBACK``.
    """
    tables = _adjusted(counts, order)
    levels, discounts = [], []
    below: tuple[Keys, NDArray[np.float64]] | None = None
    for length, (keys, count) in enumerate(tables, 1):
        amounts = _discounts(count)
        seen = contexts(keys, length)
        by_context = np.argsort(seen, kind="stable")
        starts = firsts(seen[by_context])
        bins = np.minimum(count, 3)
        taken = np.array((0.0, *amounts))[bins]
        totals = np.add.reduceat(count[by_context], starts)
        backoff = np.add.reduceat(taken[by_context], starts) / totals
        place = np.empty(len(keys), np.int64)
        place[by_context] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(keys))))
        if below is None:
            lower: NDArray[np.float64] = np.full(len(keys), 1 / SYMBOLS)
        else:
            lower = below[1][find(below[0], shorten(keys, 1))[0]]
        probability = (count - taken) / totals[place] + backoff[place] * lower
        levels.append(
            Level(
                keys,
                np.log(probability).astype(np.float32),
                seen[by_context][starts],
                np.log(backoff).astype(np.float32),
            )
        )
        discounts.append(amounts)
        below = keys, probability
    return levels, discounts


def _adjusted(counts: Counts, order: int) -> list[Counts]:
    """Keys and counts of every order, the shortest first."""
    tables = []
    keys, raw = counts
    adjusted = raw
    for length in range(order, 0, -1):
        whole = farthest(keys) != 0  # the others are n-grams of a lower order, met there
        tables.append((keys[whole], adjusted[whole]))
        if length > 1:
            shorter = shorten(keys, 1)
            starts = firsts(shorter)
            keys, raw = shorter[starts], np.add.reduceat(raw, starts)
            distinct = np.diff(np.append(starts, len(shorter)))
            adjusted = np.where(farthest(keys) == BEGIN, raw, distinct)
    return tables[::-1]


def _discounts(count: NDArray[np.int64]) -> Discounts:
    """What is taken from counts of 1, 2 and more: equation 26."""
    n1, n2, n3, n4 = (int((count == times).sum()) for times in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 < amount < times for times, amount in enumerate(found, 1)) else FALLBACK
