"""What a domain says about a benchmark beyond how good a model is everywhere: partial rank correlation."""

from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import Doubles, Form, Ties
from pyfastlm.selection.estimators import prepared, spearmanr
from pyfastlm.selection.inputs import Missing
from pyfastlm.selection.ranking import Floats

PARTIAL = "partial_spearmanr"


def partial_spearmanr(X: Any, y: Any, given: Any = None, *, threads: int | None = None) -> Any:
    """Spearman's correlation of bits per byte and errors with the ranks of ``given`` held constant.

    Better models need fewer bits everywhere and make fewer errors everywhere, so most domains correlate with
    most benchmarks. The residuals of ranks, after a straight line on the ranks of each model's mean bits per
    byte, say what a domain adds: ``(r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2))``.

    Args:
        X, y: as the estimators take them, without NaN; X is an array, or ``Blocks``, which can be read twice.
        given: [N]; default the mean of X over domains.
        threads: of the ranking.

    Returns:
        [D], or [D, K], float64: -1 to 1; NaN where the ranks of x, y or given leave no residual.

    Raises:
        InputError: a shape or a number is wrong.
    """
    errors, single = inputs.errors_of(y, "raise")
    z = _means(X, len(errors)) if given is None else inputs.as_numpy(given, "given").astype(np.float64)
    if z.shape != (len(errors),) or not np.isfinite(z).all():
        raise InputError(f"given: expected [{len(errors)}], finite, got shape {list(z.shape)}")
    both = spearmanr(X, np.column_stack([errors, z]), threads=threads)
    found = inputs.as_numpy(both, "X")
    partial = _partial(found[:, :-1], found[:, -1:], spearmanr(errors, z))
    return inputs.like(partial[:, 0] if single else partial, both)


def prepare_partial(y: Doubles, z: Doubles, ties: Ties, missing: Missing) -> Form:
    """The same as a form: takes checked blocks [N, d] and threads, gives [K, d].

    With ``missing="mask"`` a domain that a model lacks is NaN; models without an error are left out.

    Args:
        y: [N, K].
        z: [N], given.
        ties, missing: as the estimators take them.
    """
    patterns, which = np.unique(np.isnan(y), axis=1, return_inverse=True)
    parts = []
    for number, absent in enumerate(patterns.T):
        benchmarks = np.flatnonzero(which.reshape(-1) == number)
        rows = np.flatnonzero(~absent)
        if len(rows) > 1:
            own, given = y[np.ix_(rows, benchmarks)], z[rows, None]
            form = prepared("spearmanr", np.hstack([own, given]), ties, missing)
            of_y = prepared("spearmanr", given, ties, "raise")(own, 1).T
            parts.append((rows, benchmarks, form, of_y))

    def of_block(x: Floats, threads: int) -> Doubles:
        out = np.full((y.shape[1], x.shape[1]), np.nan)
        for rows, benchmarks, form, of_y in parts:
            found = form(x[rows], threads)
            out[benchmarks] = _partial(found[:-1], found[-1:], of_y)
        out[:, np.isnan(x).any(axis=0)] = np.nan
        return out

    return of_block


def _partial(xy: Doubles, xz: Doubles, yz: Doubles) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.asarray((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))
    found[~np.isfinite(found)] = np.nan
    return np.clip(found, -1, 1)


def _means(X: Any, models: int) -> Doubles:
    """[N], the mean of each row, in one pass."""
    sums, domains = np.zeros(models), 0
    for block in inputs.blocks_of(X, models, "raise", 1):
        sums += block.sum(axis=1, dtype=np.float64)
        domains += block.shape[1]
    return sums / domains
