"""The five estimators as matrix products, for a block of columns without missing values.

Each is a sum over pairs of models g, k of sign(y_g - y_k) times something of x_g and x_k. Where that is a
difference, h(x_g) - h(x_k), the sum over pairs is one over models: every model g occurs with the factor

    c_g = sum over k of sign(y_g - y_k) = 2 rank(y_g) - (N + 1)      (average ranks, ties included)

so that sum over g < k of sign(y_k - y_g) (h(x_k) - h(x_g)) = sum over g of c_g h(x_g): a matrix product for
all columns and benchmarks at once. With h the identity that is ``sign``, with ranks over N ``sign_cdf``; and
``spearmanr`` is the same product over its greatest value. Only ``sign_sign`` needs the pairs themselves.

Centred ranks are whole numbers, and no partial sum of their products exceeds N (N^2 - 1) / 3: up to
N = 369 a product in float32 is exact.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection.ranking import Floats, centred_ranks, positional_ranks, signed_pairs

Ties = Literal["average", "reference"]
Doubles = NDArray[np.float64]
Form = Callable[[Floats, Doubles, Ties, int], Doubles]  # x [N, D], y [N, K], ties, threads -> [K, D]

MOST_EXACT = 369  # models: 369 (369^2 - 1) / 3 < 2^24


def product(x: Floats, y: Doubles, ties: Ties, threads: int) -> Doubles:
    """Means of y x."""
    return (y.T / len(y)) @ x.astype(np.float64, copy=False)


def sign(x: Floats, y: Doubles, ties: Ties, threads: int) -> Doubles:
    """2 / (N (N - 1)) sum of c x."""
    models = len(y)
    weights = centred_ranks(y).T * (2 / (models * (models - 1)))
    return weights @ x.astype(np.float64, copy=False)


def sign_cdf(x: Floats, y: Doubles, ties: Ties, threads: int) -> Doubles:
    """The same of ranks over N: 1 / (N^2 (N - 1)) sum of c and the centred ranks of x, which are doubled."""
    models = len(y)
    return _exact_product(centred_ranks(y), _ranks(x, ties, threads)) / (models**2 * (models - 1))


def sign_sign(x: Floats, y: Doubles, ties: Ties, threads: int) -> Doubles:
    """Kendall's tau a: the mean over pairs of sign times sign."""
    return signed_pairs(x, pair_signs(y), threads) / (len(y) * (len(y) - 1) / 2)


def spearmanr(x: Floats, y: Doubles, ties: Ties, threads: int) -> Doubles:
    """Pearson's correlation of the ranks, which without ties is 1 - 6 sum d^2 / (N (N^2 - 1))."""
    of_x = _ranks(x, ties, threads)
    of_y = centred_ranks(y) if ties == "average" else positional_ranks(y)
    squares = _squares(of_y)[:, None] * _squares(of_x)
    with np.errstate(invalid="ignore"):  # 0 / 0 where all are tied
        return np.asarray(_exact_product(of_y, of_x) / np.sqrt(squares))


def pair_signs(y: Doubles) -> Floats:
    """sign(y_i - y_j) of all pairs i > j, [N (N - 1) / 2, K], in the order of ``signed_pairs``."""
    later, earlier = np.tril_indices(len(y), -1)
    return np.sign(y[later] - y[earlier]).astype(np.float32)


def _ranks(x: Floats, ties: Ties, threads: int) -> Floats:
    return centred_ranks(x, threads) if ties == "average" else positional_ranks(x)


def _exact_product(of_y: Floats, of_x: Floats) -> Doubles:
    kind = of_x.dtype if len(of_x) <= MOST_EXACT else np.dtype(np.float64)
    return np.asarray(of_y.T.astype(kind) @ of_x.astype(kind, copy=False), np.float64)


def _squares(ranks: Floats) -> Doubles:
    kind = ranks.dtype if len(ranks) <= MOST_EXACT else np.float64
    return np.asarray(np.einsum("nd,nd->d", ranks, ranks, dtype=kind), np.float64)


FORMS: dict[str, Form] = {
    "product": product,
    "sign": sign,
    "sign_cdf": sign_cdf,
    "sign_sign": sign_sign,
    "spearmanr": spearmanr,
}
