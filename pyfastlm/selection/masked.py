"""The estimators where numbers are missing: each domain by the models that have it, and the benchmark.

With m_g = 1 for the models that count in a column, the factor of the closed forms becomes
c_g = sum over k of m_k sign(y_g - y_k), which for all columns at once is the matrix of signs times m.
"""

import numpy as np

from pyfastlm.selection.closed_forms import FORMS, Doubles, Form, Ties
from pyfastlm.selection.ranking import Floats, centred_ranks, concordance


def prepare(name: str, y: Doubles, ties: Ties) -> Form:
    """The estimator ``name`` of blocks [N, d] whose NaN, and those of y [N, K], are left out pairwise.

    NaN where fewer than two models are left.
    """
    patterns, which = np.unique(np.isnan(y), axis=1, return_inverse=True)
    parts = []
    for number, absent in enumerate(patterns.T):
        benchmarks = np.flatnonzero(which.reshape(-1) == number)
        parts.append((~absent, benchmarks, _prepare_whole(name, y[np.ix_(~absent, benchmarks)], ties)))

    def of_block(x: Floats, threads: int) -> Doubles:
        out = np.empty((y.shape[1], x.shape[1]))
        for models, benchmarks, form in parts:
            out[benchmarks] = form(x[models], threads)
        return out

    return of_block


def _prepare_whole(name: str, y: Doubles, ties: Ties) -> Form:
    """The same for a y without NaN: whole columns by the closed form, the others each by their models."""
    if len(y) < 2:
        return lambda x, threads: np.full((y.shape[1], x.shape[1]), np.nan)
    whole = FORMS[name](y, ties)

    def of_block(x: Floats, threads: int) -> Doubles:
        gaps = np.isnan(x).any(axis=0)
        if not gaps.any():
            return whole(x, threads)
        out = np.empty((y.shape[1], x.shape[1]))
        if not gaps.all():
            out[:, ~gaps] = whole(x[:, ~gaps], threads)
        out[:, gaps] = _with_gaps(name, x[:, gaps], y, threads)
        return out

    return of_block


def _with_gaps(name: str, x: Floats, y: Doubles, threads: int) -> Doubles:
    there = ~np.isnan(x)
    models = there.sum(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # where too few models are left, or all are tied
        sums = _sums(name, x, y, there.astype(np.float64), models, threads)
        return np.where(models < 2, np.nan, sums)


def _sums(name: str, x: Floats, y: Doubles, there: Doubles, models: Doubles, threads: int) -> Doubles:
    if name == "sign_sign":
        return concordance(x, y, threads) / (models * (models - 1) / 2)
    if name in {"product", "sign"}:
        of_x = np.where(there > 0, x, 0).astype(np.float64, copy=False)
    else:
        of_x = centred_ranks(x, threads).astype(np.float64, copy=False)
    if name == "product":
        return np.asarray(y.T @ of_x / models)
    out = np.empty((y.shape[1], x.shape[1]))
    for k, errors in enumerate(y.T):
        of_y = there * (np.sign(errors[:, None] - errors) @ there)
        sums = np.einsum("nd,nd->d", of_x, of_y)
        if name == "sign":
            out[k] = sums * 2 / (models * (models - 1))
        elif name == "sign_cdf":
            out[k] = sums / (models**2 * (models - 1))
        else:
            squares = np.einsum("nd,nd->d", of_x, of_x) * np.einsum("nd,nd->d", of_y, of_y)
            out[k] = sums / np.sqrt(squares)
    return out
