"""The five estimators of Thrush et al. (2024): how much a domain's bits per byte say about a benchmark.

The model is y = f(<w, x> + e) with f increasing and not known: x are the bits per byte of a language model on
D domains, y its error on a benchmark. An estimate grows with w; ``product`` and ``sign`` are proportional to
it (in expectation, Gaussian x).

All take ``X`` [N models, D domains] in bits/byte, and ``y`` [N], or [N, K] for K benchmarks at once, which
costs little more than one. ``X`` may also be an iterable of blocks of columns [N, d] (see ``blocks``), or
mapped: no more than a block is in memory at a time. They return [D], or [D, K], float64; a tensor for a
tensor. Time grows with N log^2 N D for those with ranks of X.

    ties: ``"average"``: equal numbers share the average of their ranks. ``"reference"``: they are ranked in
        the order of the rows, as the package ``perplexity-correlations`` does.
    missing: ``"raise"`` refuses NaN with its row and column. ``"mask"`` estimates each domain and benchmark
        from the models that have both; NaN where these are fewer than two.
    threads: of the ranking; default ``PYFASTLM_NUM_THREADS``, or the machine's.

They raise InputError where a shape or a number is wrong: infinite, NaN, fewer than two models.
"""

from typing import Any

import numpy as np

from pyfastlm.selection import inputs, masked
from pyfastlm.selection.closed_forms import FORMS, Doubles, Form, Ties
from pyfastlm.selection.inputs import Missing


def product(X: Any, y: Any, *, missing: Missing = "raise") -> Any:
    """The mean of y_k x_k over models k. Not robust: outliers of X and y weigh as much as they are large.

    Shapes, options and errors: see the module.
    """
    return _estimate("product", X, y, "average", missing, 1)


def sign(X: Any, y: Any, *, missing: Missing = "raise") -> Any:
    """The mean of sign(y_g - y_k) (x_g - x_k) over pairs of models. Robust in y, not in X.

    Shapes, options and errors: see the module.
    """
    return _estimate("sign", X, y, "average", missing, 1)


def sign_cdf(X: Any, y: Any, *, ties: Ties = "average", missing: Missing = "raise",
             threads: int | None = None) -> Any:  # fmt: skip
    """The mean of sign(y_g - y_k) (F(x_g) - F(x_k)), with F the column's distribution, rank / N.

    Without ties in y it is ``spearmanr`` times (N + 1) / (3 N): both order domains in the same way.
    Shapes, options and errors: see the module.
    """
    return _estimate("sign_cdf", X, y, ties, missing, threads)


def sign_sign(X: Any, y: Any, *, missing: Missing = "raise", threads: int | None = None) -> Any:
    """The mean of sign(y_g - y_k) sign(x_g - x_k): Kendall's tau a, where a tie counts 0.

    Shapes, options and errors: see the module.
    """
    return _estimate("sign_sign", X, y, "average", missing, threads)


def spearmanr(X: Any, y: Any, *, ties: Ties = "average", missing: Missing = "raise",
              threads: int | None = None) -> Any:  # fmt: skip
    """Spearman's rank correlation: Pearson's of the ranks. NaN where a column or a benchmark is all tied.

    Shapes, options and errors: see the module.
    """
    return _estimate("spearmanr", X, y, ties, missing, threads)


def _estimate(name: str, x: Any, y: Any, ties: Ties, missing: Missing, threads: int | None) -> Any:
    count = inputs.check_options(ties, missing, threads)
    errors, single = inputs.errors_of(y, missing)
    given, x = inputs.first_of(x)
    form = prepared(name, errors, ties, missing)
    parts = [
        np.ascontiguousarray(form(block, count).T)
        for block in inputs.blocks_of(x, len(errors), missing, count)
    ]
    found = np.concatenate(parts)
    return inputs.like(found[:, 0] if single else found, given)


def prepared(name: str, y: Doubles, ties: Ties, missing: Missing) -> Form:
    """The estimator ``name`` for y [N, K]: takes checked blocks [N, d] and threads, gives [K, d]."""
    return masked.prepare(name, y, ties) if missing == "mask" else FORMS[name](y, ties)
