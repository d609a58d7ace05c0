"""Candidates of a query, of which only the best by words in common need be scored."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.collection import Collection


def reranked(
    collection: Collection,
    score: Callable[[Sequence[tuple[str, str]]], NDArray[np.float64]],
    depth: int | None = None,
    index: BM25 | None = None,
) -> dict[str, dict[str, float]]:
    """Scores of the candidates of every query.

    Args:
        collection: a task.
        score: gives [pairs] of ids of queries and documents.
        depth: score only the best candidates of BM25, so many; the others follow in its order. None scores
            all of them.
        index: BM25 over the corpus; a new one by default, if it is needed.
    """
    chosen = {query: collection.candidates(query) for query in collection.query}
    rest: dict[str, list[str]] = {query: [] for query in chosen}
    if depth is not None:
        bm25 = index or BM25(collection.corpus)
        for query, candidates in chosen.items():
            scores = dict(
                zip(candidates, bm25.scores(collection.query[query], candidates).tolist(), strict=True)
            )
            order = sorted(candidates, key=lambda name: (-scores[name], name))
            chosen[query], rest[query] = order[:depth], order[depth:]
    pairs = [(query, document) for query, documents in chosen.items() for document in documents]
    run: dict[str, dict[str, float]] = {query: {} for query in chosen}
    for (query, document), value in zip(pairs, score(pairs).tolist(), strict=True):
        run[query][document] = value
    for query, others in rest.items():
        lowest = min(run[query].values(), default=0.0)
        run[query] |= {name: lowest - place for place, name in enumerate(others, 1)}
    return run
