"""Models with known weights: y = f(<w, x> + noise), some domains planted, families that hang together."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection import BenchmarkErrors, BpbMatrix


class Planted(NamedTuple):
    x: NDArray[np.float64]  # [N, D] bits per byte
    y: NDArray[np.float64]  # [N] error
    planted: NDArray[np.bool_]  # [D], which domains have a weight


def plant(
    seed: int,
    *,
    models: int = 60,
    domains: int = 100,
    planted: int = 10,
    noise: float = 0.3,
    quality: float = 0.0,
    link: Callable[[Any], Any] = lambda t: 1 / (1 + np.exp(-t)),
) -> Planted:
    """``quality``: spread of how good a model is on all domains alike; it also lowers the error."""
    random = np.random.default_rng(seed)
    planted = min(planted, domains)
    weights = np.zeros(domains)
    weights[random.choice(domains, planted, replace=False)] = planted**-0.5
    common = quality * random.normal(size=(models, 1))
    own = random.normal(size=(models, domains))
    y = link(own @ weights + noise * random.normal(size=models) + 3 * common[:, 0])
    return Planted(4.0 + own + common, y, weights > 0)


def clustered(seed: int, families: int = 8, size: int = 5, domains: int = 100) -> tuple[Any, Any, list[int]]:
    """Errors that have nothing to do with any domain, and families whose models are nearly the same."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(families), size)
    x = random.normal(size=(families, domains))[labels] + 0.1 * random.normal(size=(len(labels), domains))
    y = random.normal(size=families)[labels] + 0.1 * random.normal(size=len(labels))
    return 4.0 + x, y, labels.tolist()


def matrix_of(x: Any, families: Any = None, tokens: Any = None) -> BpbMatrix:
    """Named: models m0, m1, ...; domains d0, d1, ..."""
    rows, columns = x.shape
    names = tuple(f"m{row}" for row in range(rows))
    sizes = np.full(columns, 100) if tokens is None else np.asarray(tokens)
    labels = names if families is None else tuple(f"f{label}" for label in families)
    return BpbMatrix(names, labels, tuple(f"d{n}" for n in range(columns)), sizes, 4 * sizes, sizes, x)


def errors_of(y: Any, benchmarks: Any = None) -> BenchmarkErrors:
    """Named as :func:`matrix_of`; benchmarks b0, b1, ..."""
    values = np.asarray(y, np.float64).reshape(len(y), -1)
    names = tuple(f"m{row}" for row in range(len(values)))
    return BenchmarkErrors(names, names, tuple(f"b{k}" for k in range(values.shape[1])), values)
