"""The five estimators as matrix products, for a block of columns without missing values.

Each is a sum over pairs of models g, k of sign(y_g - y_k) times something of x_g and x_k. Where that is a
difference, h(x_g) - h(x_k), the sum over pairs is one over models: every model g occurs with the factor

    c_g = sum over k of sign(y_g - y_k) = 2 rank(y_g) - (N + 1)      (average ranks, ties included)

so that sum over g < k of sign(y_k - y_g) (h(x_k) - h(x_g)) = sum over g of c_g h(x_g): a matrix product for
all columns and benchmarks at once. With h the identity that is ``sign``, with ranks over N ``sign_cdf``; and
``spearmanr`` is the same product over its greatest value. Only ``sign_sign`` needs the pairs themselves.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection.ranking import Floats, centred_ranks, concordance, positional_ranks, rank_products

Ties = Literal["average", "reference"]
Doubles = NDArray[np.float64]
Form = Callable[[Floats, int], Doubles]  # x [N, d], threads -> [K, d]
Prepare = Callable[[Doubles, Ties], Form]  # what depends on y [N, K] alone is done once for all blocks


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
    return lambda x, threads: _products(of_y, x, ties, threads)[0] / size


def sign_sign(y: Doubles, ties: Ties) -> Form:
    """Kendall's tau a: the mean over pairs of sign times sign."""
    pairs = len(y) * (len(y) - 1) / 2
    return lambda x, threads: concordance(x, y, threads) / pairs


def spearmanr(y: Doubles, ties: Ties) -> Form:
    """Pearson's correlation of the ranks, which without ties is 1 - 6 sum d^2 / (N (N^2 - 1))."""
    of_y = centred_ranks(y) if ties == "average" else positional_ranks(y)
    of_y_squared = np.einsum("nk,nk->k", of_y, of_y)[:, None]

    def of_block(x: Floats, threads: int) -> Doubles:
        products, squares = _products(of_y, x, ties, threads)
        if (squares == squares[0]).all():  # no ties: one root for all
            squares = squares[:1]
        with np.errstate(invalid="ignore"):  # 0 / 0 where all are tied
            return np.asarray(products / np.sqrt(of_y_squared * squares))

    return of_block


def _products(of_y: Doubles, x: Floats, ties: Ties, threads: int) -> tuple[Doubles, Doubles]:
    """Sums of the ranks of x times those of y, [K, d], and of their squares, [d]."""
    if ties == "average":
        return rank_products(x, of_y, threads)
    ranks = positional_ranks(x.astype(np.float64, copy=False))
    return of_y.T @ ranks, np.einsum("nd,nd->d", ranks, ranks)


FORMS: dict[str, Prepare] = {
    "product": product,
    "sign": sign,
    "sign_cdf": sign_cdf,
    "sign_sign": sign_sign,
    "spearmanr": spearmanr,
}
