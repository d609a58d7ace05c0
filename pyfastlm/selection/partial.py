"""What a domain says about a benchmark beyond how good a model is everywhere: partial rank correlation."""

from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.estimators import spearmanr
from pyfastlm.selection.preparing import Group, Part
from pyfastlm.selection.resampling import complete, weighted_means


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
    z = model_means(X, len(errors)) if given is None else inputs.as_numpy(given, "given").astype(np.float64)
    if z.shape != (len(errors),) or not np.isfinite(z).all():
        raise InputError(f"given: expected [{len(errors)}], finite, got shape {list(z.shape)}")
    found = spearmanr(X, np.column_stack([errors, z]), threads=threads)
    both = inputs.as_numpy(found, "X")
    xy, xz = both[:, :-1], both[:, -1:]
    yz = spearmanr(errors, z)
    partial = _partial(xy, xz, yz)
    return inputs.like(partial[:, 0] if single else partial, found)


def partial_of(part: Part, group: Group) -> Doubles:
    """[D], the same for the one benchmark of ``group``, given the mean in which domains count by tokens.

    Only domains that all models have count for the mean and have a number; others are NaN.
    """
    (column,) = group.columns
    table = part.table
    y = table.errors[:, column]
    rows = np.flatnonzero(~np.isnan(y))
    there = complete(table)
    if not there.any():
        return np.full(len(there), np.nan)
    z = weighted_means(table, np.where(there, table.tokens, 0.0)[None])[rows]
    blocks = (block[rows] for block in table.matrix.blocks())
    options = part.options
    both = spearmanr(blocks, np.column_stack([y[rows], z]), missing=options.masking, threads=options.threads)
    found = _partial(both[:, :1], both[:, 1:], spearmanr(y[rows, None], z[:, 0]))[:, 0]
    found[~there] = np.nan
    return found


def _partial(xy: Doubles, xz: Doubles, yz: Doubles) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.asarray((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))
    found[~np.isfinite(found)] = np.nan
    return np.clip(found, -1, 1)


def model_means(X: Any, models: int) -> Doubles:
    """[N], the mean of each row, in one pass."""
    sums, domains = np.zeros(models), 0
    for block in inputs.blocks_of(X, models, "raise", 1):
        sums += block.sum(axis=1, dtype=np.float64)
        domains += block.shape[1]
    return sums / domains
