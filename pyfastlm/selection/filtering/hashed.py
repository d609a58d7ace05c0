"""A linear filter over hashed words and pairs of words: logistic regression, trained page by page."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.filtering.hashing import BATCH_BYTES, Features, features, sums
from pyfastlm.selection.filtering.training_file import read

KIND = "hashed"


@dataclass(frozen=True, slots=True)
class HashedOptions:
    """How the hashed filter is trained.

    Attributes:
        buckets: weights that features share by their hash, up to 2^31.
        epochs: passes over the training pages.
        alpha: strength of the L2 penalty.
    """

    buckets: int = 1 << 20
    epochs: int = 5
    alpha: float = 1e-6

    def __post_init__(self) -> None:
        for name, most in (("buckets", 1 << 31), ("epochs", 10_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise InputError(f"{name}: expected a whole number from 1 to {most:,}, got {value!r}")
        if not (isinstance(self.alpha, int | float) and 0 < self.alpha < np.inf):
            raise InputError(f"alpha: expected a number above 0, got {self.alpha!r}")


@dataclass(frozen=True, slots=True, eq=False)
class HashedModel:
    """``weights`` [buckets] float32: a page's margin is their sum over its n features, over sqrt(n), plus
    ``intercept``."""

    weights: NDArray[np.float32] = field(repr=False)
    intercept: float
    hash_seed: int
    kind: str = KIND

    def margins(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds [n] of being included, before calibration; the intercept for a text without a word."""
        found = np.empty(len(texts))
        for first, last in _batches(texts):
            part = features(texts[first:last], buckets=len(self.weights), seed=self.hash_seed)
            counts = np.maximum(np.diff(part.starts), 1)
            total = sums(self.weights[part.ids].astype(np.float64), part.starts)
            found[first:last] = total / np.sqrt(counts) + self.intercept
        return found

    def settings(self) -> dict[str, Any]:
        """What is kept beside the weights."""
        return {"buckets": len(self.weights), "intercept": self.intercept, "hash_seed": self.hash_seed}

    def save(self, path: Path) -> None:
        """Write the weights, little-endian, and nothing else."""
        with open(path, "wb") as file:
            file.write(self.weights.astype("<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())


def fit(path: Path, options: HashedOptions, seed: int) -> HashedModel:
    """Train on a file of fastText's format, in its order.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    linear = require("sklearn.linear_model", "selection")
    model = linear.SGDClassifier(loss="log_loss", alpha=options.alpha, average=True, shuffle=False)
    for _ in range(options.epochs):
        for texts, included in _training_batches(path):
            part = features(texts, buckets=options.buckets, seed=seed)
            model.partial_fit(_matrix(part, options.buckets), included, classes=[False, True])
    return HashedModel(model.coef_[0].astype(np.float32), float(model.intercept_[0]), seed)


def opened(path: Path, settings: dict[str, Any]) -> HashedModel:
    """The model that :meth:`HashedModel.save` wrote.

    Raises:
        InputError: weights or settings are none of such a model.
    """
    buckets, intercept, seed = (settings.get(name) for name in ("buckets", "intercept", "hash_seed"))
    if not (type(buckets) is int and buckets > 0 and type(intercept) is float and type(seed) is int):
        raise InputError("path: the settings of the hashed filter are damaged")
    if path.stat().st_size != 4 * buckets:
        raise InputError(f"path: {path.name!r}: expected {buckets:,} weights of 4 bytes")
    weights = np.fromfile(path, "<f4").astype(np.float32)
    if not (np.isfinite(weights).all() and np.isfinite(intercept)):
        raise InputError(f"path: {path.name!r}: expected finite weights")
    return HashedModel(weights, intercept, seed)


def _matrix(part: Features, buckets: int) -> Any:
    sparse = require("scipy.sparse", "selection")
    counts = np.diff(part.starts)
    scale = 1 / np.sqrt(np.maximum(counts, 1))
    data = np.repeat(scale, counts)
    shape = (len(counts), buckets)
    found = sparse.csr_matrix((data, part.ids.astype(np.int32), part.starts.astype(np.int32)), shape)
    found.sum_duplicates()
    return found


def _batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of texts of some ``BATCH_BYTES``, at least one."""
    first = size = 0
    for number, text in enumerate(texts):
        if size and size + len(text) > BATCH_BYTES:
            yield first, number
            first, size = number, 0
        size += len(text)
    if first < len(texts):
        yield first, len(texts)


def _training_batches(path: Path) -> Iterator[tuple[list[str], list[bool]]]:
    texts: list[str] = []
    included: list[bool] = []
    size = 0
    for label, text in read(path):
        texts.append(text)
        included.append(label)
        size += len(text)
        if size > BATCH_BYTES:
            yield texts, included
            texts, included, size = [], [], 0
    if texts:
        yield texts, included
