"""Ranking by sentence embeddings, without training: a judge of negatives, and a line beside the table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.reranking import reranked
from pyfastlm.lm.sentence_encoder import SentenceEncoder

Judge: TypeAlias = Callable[[str, Sequence[str]], NDArray[np.float64]]
"""Scores [documents] of a query's documents, by their ids: what a guard takes for relevance."""


def by_meaning(encoder: SentenceEncoder, corpus: Mapping[str, str], *, progress: bool = False) -> Judge:
    """A judge by cosines of sentence embeddings; the corpus is encoded once."""
    places = {name: place for place, name in enumerate(corpus)}
    vectors = encoder.vectors([*corpus.values()], progress=progress)

    def judge(query: str, documents: Sequence[str]) -> NDArray[np.float64]:
        rows = vectors[[places[document] for document in documents]]
        scores: NDArray[np.float64] = (rows @ encoder.vectors([query])[0]).astype(np.float64)
        return scores

    return judge


def encoder_run(
    collection: Collection,
    encoder: SentenceEncoder,
    *,
    depth: int | None = None,
    index: BM25 | None = None,
    progress: bool = False,
) -> dict[str, dict[str, float]]:
    """Cosines of the candidates of every query, as an encoder has them without training.

    ``depth`` and ``index`` are as of :func:`pyfastlm.ir.reranking.reranked`; only what is scored is encoded.
    """

    def score(pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        if not pairs:
            return np.empty(0)
        queries, documents = ([*dict.fromkeys(names)] for names in zip(*pairs, strict=True))
        texts = [collection.query[name] for name in queries]
        texts += [collection.corpus[name] for name in documents]
        vectors = encoder.vectors(texts, progress=progress)
        places = {name: place for place, name in enumerate(queries)}
        others = {name: place for place, name in enumerate(documents, len(queries))}
        rows = vectors[[places[query] for query, _ in pairs]]
        columns = vectors[[others[document] for _, document in pairs]]
        found: NDArray[np.float64] = np.einsum("ij,ij->i", rows, columns, dtype=np.float64)
        return found

    return reranked(collection, score, depth, index)
