"""What no engine of a kind can exceed on given rows."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pyfastlm.index import TermIndex

MOST_EDITS = 2


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Shares of the rows.

    Attributes:
        in_dictionary: the term is one of the dictionary: no closed engine can do better. NaN without one,
            and "besides" below then means nothing.
        true_prefix: besides, what was typed begins it: no prefix tree can.
        within_edits: besides, it begins it with so many edits (optimal string alignment, any first letter)
            or fewer; by number of edits, from 0.
        lookahead: the term is one of the ``k`` most frequent terms of its prefix in these very rows: no
            engine without context can. Means something only for rows that share prefixes: it is 1 where
            every prefix is unique.
        lookahead_others: the same, from all rows but the row itself.
    """

    in_dictionary: float
    true_prefix: float
    within_edits: tuple[float, ...]
    lookahead: float
    lookahead_others: float


def ceilings(prefixes: Sequence[str], terms: Sequence[str], known: TermIndex | None, k: int) -> Ceilings:
    """The ceilings of rows, normalised; ``known`` is the dictionary."""
    rows = max(len(terms), 1)
    inside = [known is None or term in known for term in terms]
    edits = [
        prefix_edits(prefix, term, MOST_EDITS) if has else MOST_EDITS + 1
        for prefix, term, has in zip(prefixes, terms, inside, strict=True)
    ]
    within = tuple(sum(found <= limit for found in edits) / rows for limit in range(MOST_EDITS + 1))
    ahead, others = _lookahead(prefixes, terms, k)
    share = math.nan if known is None else sum(inside) / rows
    return Ceilings(share, within[0], within, ahead / rows, others / rows)


def prefix_edits(prefix: str, term: str, limit: int) -> int:
    """Edits between ``prefix`` and the nearest beginning of ``term``; ``limit + 1`` stands for more."""
    if term.startswith(prefix):
        return 0
    before: list[int] = []
    row = list(range(len(term) + 1))
    for i, typed in enumerate(prefix):
        following = [i + 1]
        for j, letter in enumerate(term):
            best = min(row[j] + (typed != letter), row[j + 1] + 1, following[j] + 1)
            if i and j and typed == term[j - 1] and letter == prefix[i - 1]:
                best = min(best, before[j - 1] + 1)
            following.append(best)
        before, row = row, following
        if min(row) > limit and min(before) > limit:
            return limit + 1
    return min(min(row), limit + 1)


def _lookahead(prefixes: Sequence[str], terms: Sequence[str], k: int) -> tuple[int, int]:
    """How many rows have one of the ``k`` most frequent terms of their prefix: of all rows, of the others."""
    of_prefix: dict[str, Counter[str]] = defaultdict(Counter)
    for prefix, term in zip(prefixes, terms, strict=True):
        of_prefix[prefix][term] += 1
    hits = others = 0
    for counts in of_prefix.values():
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))
        places = {term: place for place, (term, _) in enumerate(ranked)}
        for term, count in counts.items():
            hits += count * (places[term] < k)
            # Without the row its term counts one less, and falls behind those that had as many.
            better = sum(
                (-other, name.encode()) < (1 - count, term.encode()) for name, other in ranked if name != term
            )
            others += count * (count > 1 and better < k)
    return hits, others
