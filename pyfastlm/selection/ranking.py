"""Ranks and signs of the columns of a matrix, by the native kernel; the ranks of the reference by a sort.

All ranks here are doubled and centred, 2 r - (n + 1): whole numbers that sum to zero.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm import _native

Floats = NDArray[Any]  # float32 or float64
MOST_PAIRS = 1 << 24  # that a sum of signs in float32 holds exactly


def centred_ranks(x: Floats, threads: int = 1) -> Floats:
    """Average ranks of each column of ``x`` [N, D], doubled and centred, in the dtype of ``x``.

    How many numbers of the column are less, minus how many are greater: ties share their average, NaN is
    compared with nothing and gets 0. Every two rows are compared, so the time grows with N squared.
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


def signed_pairs(x: Floats, weights: Floats, threads: int = 1) -> NDArray[np.float64]:
    """Sums over pairs of rows i > j of ``sign(x_i - x_j)`` times ``weights`` [pairs, K], for each column.

    Pairs come in the order (1, 0), (2, 0), (2, 1), (3, 0) ...; the result is [K, D], exact for weights of -1,
    0 and 1.
    """
    if len(weights) >= MOST_PAIRS:
        x = x.astype(np.float64)
    x = _rows_together(x)
    rows, columns = x.shape
    given = np.ascontiguousarray(weights, x.dtype)
    out = np.empty((given.shape[1], columns), x.dtype)
    _native.signed_pairs(
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
