"""Discounted cumulative gain of one ranking: the gain is the relevance itself, not a power of it."""

from collections.abc import Mapping
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.measures.ranking import ordered

Ties = Literal["id", "expected"]


def ndcg(judged: Mapping[str, int], scores: Mapping[str, float], k: int = 10, *, ties: Ties = "id") -> float:
    """NDCG@k of one query: sum of rel_i / log2(i + 1) over the first k, divided by the best possible sum.

    The best possible order is that of all judged documents, whether they were returned or not. Documents
    without a judgement, and relevances below 0, gain nothing. 0 where nothing is relevant. Equal to
    trec_eval's ``ndcg_cut`` where no scores are equal.

    Args:
        judged: relevance by document.
        scores: by document; those that are missing were not returned.
        k: the depth.
        ties: what equal scores mean: ``"id"`` orders them by the id of the document; ``"expected"`` is the
            mean over all orders of equals.

    Raises:
        InputError: ``k`` is below 1, or ``ties`` is something else.
    """
    if ties not in ("id", "expected"):
        raise InputError(f"ties: expected 'id' or 'expected', got {ties!r}")
    if k < 1:
        raise InputError(f"k: expected a whole number >= 1, got {k}")
    best = _dcg(np.sort(np.array([max(0, rel) for rel in judged.values()], np.float64))[::-1], k)
    if best == 0:
        return 0.0
    order = ordered(scores)
    gains = np.array([max(0, judged.get(document, 0)) for document in order], np.float64)
    if ties == "expected":
        start = 0
        for _, group in groupby(order, key=lambda document: scores[document]):
            stop = start + sum(1 for _ in group)
            gains[start:stop] = gains[start:stop].mean()
            start = stop
    return _dcg(gains, k) / best


def _dcg(gains: NDArray[np.float64], k: int) -> float:
    first = gains[:k]
    return float((first / np.log2(np.arange(2, len(first) + 2))).sum())
