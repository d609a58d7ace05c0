"""Completion by meaning: the terms whose embeddings are nearest to that of what was typed and searched."""

import os
from collections.abc import Sequence

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.index.normalize import Normalizer
from pyfastlm.lm.sentence_encoder import MINILM, SentenceEncoder
from pyfastlm.qac.query import Query

REMEMBERED = 3  # earlier searches that an embedding can take in beside what was typed


class Semantic:
    """An engine that finds terms by the cosine of sentence embeddings, in an HNSW graph of usearch.

    It knows nothing of popularity, nor that an answer should begin with what was typed.

    Args:
        index: its ``most`` best terms are embedded.
        encoder: what :class:`pyfastlm.lm.sentence_encoder.SentenceEncoder` takes.
        context: embed the earlier searches of the session, too.
        most: terms.
        progress: show a bar on standard error.

    Raises:
        MissingExtra: a package is not installed.
    """

    def __init__(
        self,
        index: TermIndex,
        encoder: "str | os.PathLike[str]" = MINILM,
        *,
        context: bool = True,
        most: int = 50_000,
        progress: bool = False,
    ) -> None:
        self.index = index
        self.normalizer: Normalizer = index.normalizer
        self.context = context
        self._encoder = SentenceEncoder(encoder, extra="qac")
        self._terms = [term for term, _ in index.complete("", most)]
        if not self._terms:
            raise InputError("index: expected at least one term, got none")
        vectors = self._encoder.vectors(self._terms, progress=progress)
        graph = require("usearch.index", "qac")
        self._graph = graph.Index(ndim=vectors.shape[1], metric="cos")
        self._graph.add(np.arange(len(vectors)), vectors)

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        texts = ["; ".join((*self._past(query), query.prefix)) for query in queries]
        found = self._graph.search(self._encoder.vectors(texts), min(k, len(self._terms)))
        keys = np.atleast_2d(found.keys)  # of one query the graph returns one row
        return [[self._terms[key] for key in row] for row in keys.tolist()]

    def _past(self, query: Query) -> tuple[str, ...]:
        return query.past[-REMEMBERED:] if self.context else ()
