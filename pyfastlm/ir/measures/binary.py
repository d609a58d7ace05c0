"""Measures of one ranking that know only relevant (above 0) and not."""

from collections.abc import Mapping, Sequence


def reciprocal_rank(judged: Mapping[str, int], order: Sequence[str], k: int = 10) -> float:
    """1 / the place of the first relevant document among the first ``k``; 0 without one."""
    return next((1 / rank for rank, doc in enumerate(order[:k], 1) if judged.get(doc, 0) > 0), 0.0)


def recall(judged: Mapping[str, int], order: Sequence[str], k: int) -> float:
    """Of all relevant documents the share among the first ``k``; 0 where nothing is relevant."""
    relevant = sum(rel > 0 for rel in judged.values())
    return sum(judged.get(doc, 0) > 0 for doc in order[:k]) / relevant if relevant else 0.0


def average_precision(judged: Mapping[str, int], order: Sequence[str]) -> float:
    """Mean, over all relevant documents, of the precision down to each; 0 of those not returned."""
    relevant = sum(rel > 0 for rel in judged.values())
    found, total = 0, 0.0
    for rank, doc in enumerate(order, 1):
        if judged.get(doc, 0) > 0:
            found += 1
            total += found / rank
    return total / relevant if relevant else 0.0
