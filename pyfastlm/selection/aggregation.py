"""Several benchmarks as one: groups of them, by the ranks of their estimates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.inputs import as_numpy, like


def combine(estimates: Any, groups: Mapping[str, Sequence[int]] | None = None) -> Any:
    """One estimate for each group of benchmarks: the mean over its benchmarks of the ranks of the domains.

    Ranks, because estimates for different benchmarks have no common scale: a noisy benchmark has small
    correlations everywhere. They lie between -1 and 1, ties share their average.

    Args:
        estimates: [D, K], finite, as the estimators give them for K benchmarks.
        groups: name -> columns of ``estimates``; default one group of all.

    Returns:
        [D] float64 for no ``groups``, else [D, number of groups] in the order of ``groups``; a tensor for a
        tensor.

    Raises:
        InputError: a shape, a number or a column is wrong.
    """
    values = as_numpy(estimates, "estimates").astype(np.float64)
    if values.ndim != 2 or not values.size:
        raise InputError(f"estimates: expected [D, K], got shape {list(values.shape)}")
    if not np.isfinite(values).all():
        domain, benchmark = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"estimates: expected finite numbers, got {values[domain, benchmark]} "
                         f"for domain {domain}, benchmark {benchmark}")  # fmt: skip
    wanted = {"all": range(values.shape[1])} if groups is None else groups
    ranks = np.stack([ranks_of(column) for column in values.T], axis=1)
    columns = []
    for name, members in wanted.items():
        if not len(members) or not all(0 <= k < values.shape[1] for k in members):
            raise InputError(
                f"groups: {name!r}: expected columns from 0 to {values.shape[1] - 1}, got {list(members)}"
            )
        columns.append(ranks[:, list(members)].mean(axis=1))
    found = np.stack(columns, axis=1) if columns else np.empty((len(values), 0))
    return like(found[:, 0].copy() if groups is None else found, estimates)


def ranks_of(values: Doubles) -> Doubles:
    """Average ranks of [D] from -1 to 1; by a sort, because there are many domains."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    less = np.cumsum(counts) - counts
    centred = 2 * less + counts - len(values)
    return np.asarray(centred[which] / max(len(values) - 1, 1))
