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
Form = Callable[[Floats, int], Doubles]  # x [N, d], threads -> [K, d]
Prepare = Callable[[Doubles, Ties], Form]  # what depends on y [N, K] alone is done once for all blocks

MOST_EXACT = 369  # models: 369 (369^2 - 1) / 3 < 2^24


def product(y: Doubles, ties: Ties) -> Form:
    """Means of y x."""
    weights = y.T / len(y)
    return lambda x, threads: weights @ x.astype(np.float64, copy=False)


def sign(y: Doubles, ties: Ties) -> Form:
    """2 / (N (N - 1)) sum of c x."""
    weights = centred_ranks(y).T * (2 / (len(y) * (len(y) - 1)))
    return lambda x, threads: weights @ x.astype(np.float64, copy=False)


def sign_cdf(y: Doubles, ties: Ties) -> Form:
    """The same of ranks over N: 1 / (N^2 (N - 1)) sum of c and the centred ranks of x, which are doubled."""
    of_y, size = centred_ranks(y), len(y) ** 2 * (len(y) - 1)
    return lambda x, threads: _exact_product(of_y, _ranks(x, ties, threads)) / size


def sign_sign(y: Doubles, ties: Ties) -> Form:
    """Kendall's tau a: the mean over pairs of sign times sign."""
    signs = pair_signs(y)
    return lambda x, threads: signed_pairs(x, signs, threads) / len(signs)


def spearmanr(y: Doubles, ties: Ties) -> Form:
    """Pearson's correlation of the ranks, which without ties is 1 - 6 sum d^2 / (N (N^2 - 1))."""
    of_y = _ranks(y, ties, 1)
    squares = _squares(of_y)[:, None]

    def of_block(x: Floats, threads: int) -> Doubles:
        of_x = _ranks(x, ties, threads)
        with np.errstate(invalid="ignore"):  # 0 / 0 where all are tied
            return np.asarray(_exact_product(of_y, of_x) / np.sqrt(squares * _squares(of_x)))

    return of_block


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


FORMS: dict[str, Prepare] = {
    "product": product,
    "sign": sign,
    "sign_cdf": sign_cdf,
    "sign_sign": sign_sign,
    "spearmanr": spearmanr,
}
