"""fastText's supervised classifier, as the paper uses it, and the margins of its two labels."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.filtering import fast_text_file
from pyfastlm.selection.filtering.training_file import EXCLUDE, INCLUDE

KIND = "fasttext"
MOST = {"dim": 10_000, "epochs": 10_000, "word_ngrams": 10, "buckets": (1 << 31) - 1}


@dataclass(frozen=True, slots=True)
class FastTextOptions:
    """fastText's own options, with its defaults but for ``word_ngrams``, which is the paper's 2.

    The file has 4 bytes for each word and bucket and each of ``dim`` dimensions: 0.8 GB by default, and so
    much memory.
    """

    lr: float = 0.1
    dim: int = 100
    epochs: int = 5
    word_ngrams: int = 2
    buckets: int = 2_000_000

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise InputError(f"{name}: expected a whole number from 1 to {most:,}, got {value!r}")
        if not (isinstance(self.lr, int | float) and 0 < self.lr < np.inf):
            raise InputError(f"lr: expected a number above 0, got {self.lr!r}")


class FastTextModel:
    """A trained fastText model with the labels of :mod:`pyfastlm.selection.filtering.training_file`."""

    kind = KIND

    def __init__(self, model: Any) -> None:
        labels = list(model.f.getLabels("strict")[0])
        if sorted(labels) != sorted([INCLUDE, EXCLUDE]):
            raise InputError(f"path: expected a fastText model of {INCLUDE} and {EXCLUDE}, got {labels[:5]}")
        # numpy 2 breaks the methods of the Python class; those of the extension inside work.
        self._model = model
        output = np.array(model.f.getOutputMatrix(), np.float64)
        self._direction = output[labels.index(INCLUDE)] - output[labels.index(EXCLUDE)]
        self._vector = require("fasttext_pybind", "selection").Vector

    def margins(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds [n] of the label include for texts in one line, before calibration.

        ``predict`` gives probabilities that end at 1.00001; the difference of what goes into its softmax
        does not, so that the best pages do not tie.
        """
        hidden = np.empty((len(texts), len(self._direction)), np.float32)
        vector = self._vector(len(self._direction))
        for row, text in zip(hidden, texts, strict=True):
            # Of a supervised model, this is the mean over words and n-grams that predict starts from.
            self._model.f.getSentenceVector(vector, text + "\n")
            row[:] = vector
        # A matrix product may round a row differently among other rows.
        return np.asarray((hidden * self._direction).sum(axis=1))

    def settings(self) -> dict[str, Any]:
        """What is kept beside the weights: nothing, the file has all."""
        return {}

    def save(self, path: Path) -> None:
        """Write fastText's own ``.bin``, which fastText reads too."""
        try:
            self._model.f.saveModel(os.fspath(path))
        except (ValueError, RuntimeError) as error:
            raise OSError(f"cannot write {os.fspath(path)!r}: {error}") from error
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


def fit(path: Path, options: FastTextOptions, seed: int, threads: int) -> FastTextModel:
    """Train on a file of fastText's format, in its order; the same numbers each time with one thread.

    Raises:
        InputError: the numbers became infinite.
        MissingExtra: fastText is not installed.
    """
    fasttext = require("fasttext", "selection")
    try:
        model = fasttext.train_supervised(
            os.fspath(path),
            lr=options.lr,
            dim=options.dim,
            epoch=options.epochs,
            wordNgrams=options.word_ngrams,
            bucket=options.buckets,
            loss="softmax",
            seed=seed,
            thread=threads,
            verbose=0,
        )
    except RuntimeError as error:  # it met a NaN
        raise InputError(f"lr: fastText's training failed: {error}; a smaller one may help") from None
    return FastTextModel(model)


def opened(path: Path) -> FastTextModel:
    """The model in a ``.bin``, whose structure is checked first: fastText itself believes what it reads.

    Raises:
        InputError: it is no supervised model with these two labels.
        MissingExtra: fastText is not installed.
    """
    fast_text_file.check(path)
    module = require("fasttext.FastText", "selection")
    # Not load_model, which prints a warning on every call.
    return FastTextModel(module._FastText(model_path=os.fspath(path)))
