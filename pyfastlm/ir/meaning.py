"""Ranking by sentence embeddings, without training: a judge of negatives, and a line beside the table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.ir.collection import Collection
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
    collection: Collection, encoder: SentenceEncoder, *, progress: bool = False
) -> dict[str, dict[str, float]]:
    """Cosines of the candidates of every query: what an encoder does as it is."""
    judge = by_meaning(encoder, collection.corpus, progress=progress)
    run = {}
    for query, text in collection.query.items():
        candidates = collection.candidates(query)
        run[query] = dict(zip(candidates, judge(text, candidates).tolist(), strict=True))
    return run
