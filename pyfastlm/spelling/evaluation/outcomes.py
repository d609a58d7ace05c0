"""What a corrector did with each query: all that a report is computed from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.spelling.correction import Correction
from pyfastlm.spelling.pair import Pair

Flags = NDArray[np.bool_]
Form = Callable[[str], str]


@dataclass(frozen=True, slots=True, eq=False)
class Unneeded:
    """Queries that are right as they are: ``changed`` [n] all the same, and the ``margin`` [n] float64 of the
    best other text, minus infinity where there was none."""

    changed: Flags
    margin: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One value for each query.

    Attributes:
        kinds: the class of each of the ``n`` queries that need a change.
        meant: [n] int32, which of the different texts was meant; misspellings of one are not independent.
        changed: [n], it was changed.
        right: [n], into what was meant.
        best_right: [n], the best text that differs from the query is what was meant.
        margin: [n] float64, how much better that text was than the query; minus infinity where there is none.
        rank: [n] int32, the place of what was meant among the texts weighed that differ from the query, from
            1; 0 where it is not among the first ``k``.
        k: how many of them count.
        clean, novel: of the queries that need none.
        digest: of all queries and what was meant.
    """

    kinds: tuple[str, ...]
    meant: NDArray[np.int32]
    changed: Flags
    right: Flags
    best_right: Flags
    margin: NDArray[np.float64]
    rank: NDArray[np.int32]
    k: int
    clean: Unneeded
    novel: Unneeded
    digest: str


def needed(corrections: Iterable[Correction], pairs: Sequence[Pair], k: int, form: Form) -> dict[str, Any]:
    """The fields of :class:`Outcomes` that are of queries which need a change."""
    n = len(pairs)
    changed, right, best_right = (np.zeros(n, bool) for _ in range(3))
    margin, rank = np.empty(n), np.zeros(n, np.int32)
    for place, (correction, pair) in enumerate(zip(corrections, pairs, strict=True)):
        noisy, gold, text = form(pair.noisy), form(pair.gold), form(correction.text)
        others = differing((candidate.text for candidate in correction.candidates), noisy, k, form)
        changed[place], right[place] = text != noisy, text == gold
        best_right[place] = bool(others) and others[0] == gold
        rank[place] = others.index(gold) + 1 if gold in others else 0
        margin[place] = _margin(correction, pair.noisy)
    golds = {gold: number for number, gold in enumerate(dict.fromkeys(form(pair.gold) for pair in pairs))}
    return {
        "kinds": tuple(pair.kind for pair in pairs),
        "meant": np.array([golds[form(pair.gold)] for pair in pairs], np.int32),
        "changed": changed,
        "right": right,
        "best_right": best_right,
        "margin": margin,
        "rank": rank,
    }


def unneeded(corrections: Iterable[Correction], queries: Sequence[str], form: Form) -> Unneeded:
    """Whether each query was changed, though it was right."""
    changed, margin = np.zeros(len(queries), bool), np.empty(len(queries))
    for place, (correction, query) in enumerate(zip(corrections, queries, strict=True)):
        changed[place] = form(correction.text) != form(query)
        margin[place] = _margin(correction, query)
    return Unneeded(changed, margin)


def differing(texts: Iterable[str], query: str, k: int, form: Form) -> list[str]:
    """The first ``k`` different texts, in their form, that are not the query, which has it already."""
    others = (text for text in dict.fromkeys(map(form, texts)) if text != query)
    return list(islice(others, k))


def digest_of(pairs: Sequence[Pair], clean: Sequence[str], novel: Sequence[str], form: Form) -> str:
    """Of all texts in their form: reports with the same one are of the same queries."""
    found = blake2b(digest_size=16)
    for texts in ((form(p.noisy) for p in pairs), (form(p.gold) for p in pairs), clean, novel):
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            found.update(b"%d " % len(data) + data)
        found.update(b";")
    return found.hexdigest()


def _margin(correction: Correction, query: str) -> float:
    if np.isnan(correction.margin):
        raise InputError(f"speller: expected a margin that is a number, got NaN for {query!r}")
    return correction.margin
