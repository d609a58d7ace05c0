"""Ranks and order of the columns of a matrix, by the native kernel; the ranks of the reference by a sort.

All ranks here are doubled and centred, 2 r - (n + 1): whole numbers that sum to zero.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm import _native

Floats = NDArray[Any]  # float32 or float64
MOST_EXACT = 369  # rows: 369 (369^2 - 1) / 3 < 2^24
MOST_PAIRS = 1 << 24  # that a sum of signs in float32 holds exactly


def centred_ranks(x: Floats, threads: int = 1) -> Floats:
    """Average ranks of each column of ``x`` [N, D], doubled and centred, in the dtype of ``x``.

    How many numbers of the column are less, minus how many are greater: ties share their average, NaN is
    compared with nothing and gets 0.
    """
    x = _rows_together(x)
    out = np.empty(x.shape, x.dtype)
    rows, columns = x.shape
    _native.centred_ranks(
        rows, columns, x.ctypes.data, _stride(x), out.ctypes.data, x.dtype == np.float64, threads
    )
    return out


def positional_ranks(x: Floats) -> Floats:
    """Ranks in the order of a stable sort, ``argsort(argsort(x))``; doubled and centred."""
    order = np.argsort(x, axis=0, kind="stable")
    ranks = np.empty(x.shape, x.dtype)
    places = 2 * np.arange(len(x), dtype=x.dtype) - (len(x) - 1)
    np.put_along_axis(ranks, order, places[:, None], axis=0)
    return ranks


def rank_products(
    x: Floats, weights: Floats, threads: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over rows of the ranks of ``x`` [N, D] times ``weights`` [N, K]; and of the ranks' squares.

    They are [K, D] and [D]. Exact for weights that are centred ranks, too.
    """
    # No partial sum of products of two such ranks exceeds N (N^2 - 1) / 3.
    x = _rows_together(x if len(x) <= MOST_EXACT else x.astype(np.float64, copy=False))
    rows, columns = x.shape
    given = np.ascontiguousarray(weights, x.dtype)
    out, squares = np.empty((given.shape[1], columns), x.dtype), np.empty(columns, x.dtype)
    _native.rank_products(
        rows, columns, x.ctypes.data, _stride(x), given.ctypes.data, given.shape[1], out.ctypes.data,
        squares.ctypes.data, x.dtype == np.float64, threads,
    )  # fmt: skip
    return out.astype(np.float64, copy=False), squares.astype(np.float64, copy=False)


def concordance(x: Floats, y: NDArray[np.float64], threads: int = 1) -> NDArray[np.float64]:
    """How many pairs of rows a column of ``x`` [N, D] and one of ``y`` [N, K] order alike, less those unlike.

    The sums over pairs of ``sign(x_i - x_j) sign(y_i - y_j)``, [K, D], exact; NaN is ordered with nothing.
    """
    if len(x) * (len(x) - 1) // 2 >= MOST_PAIRS:
        x = x.astype(np.float64)
    x = _rows_together(x)
    rows, columns = x.shape
    given = np.ascontiguousarray(y, np.float64)
    out = np.empty((given.shape[1], columns), x.dtype)
    _native.concordance(
        rows, columns, x.ctypes.data, _stride(x), given.ctypes.data, given.shape[1], out.ctypes.data,
        x.dtype == np.float64, threads,
    )  # fmt: skip
    return out.astype(np.float64, copy=False)


def _rows_together(x: Floats) -> Floats:
    """``x``, or a copy of it in which the numbers of a row lie side by side, as the kernel reads them."""
    size = x.dtype.itemsize
    as_read = x.shape[1] < 2 or x.strides[1] == size
    apart = len(x) < 2 or (x.strides[0] >= 0 and x.strides[0] % size == 0)
    return x if as_read and apart and x.flags.aligned else np.ascontiguousarray(x)


def _stride(x: Floats) -> int:
    return x.strides[0] // x.dtype.itemsize if len(x) > 1 else x.shape[1]
