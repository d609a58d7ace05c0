"""Estimates from many sets of models: draws of a bootstrap, all but a family, all but a fold."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import Doubles, Form, Ties
from pyfastlm.selection.estimators import prepared
from pyfastlm.selection.inputs import Missing
from pyfastlm.selection.study.joining import Table
from pyfastlm.selection.study.partial import prepare_partial

Stream = Iterator[Doubles]  # [K, D] each
PASS_BYTES = 1 << 27  # of the estimates that one pass through the matrix gives


def estimates(
    table: Table,
    columns: Sequence[int],
    sets: Sequence[NDArray[np.intp]],
    *,
    estimator: str,
    ties: Ties,
    missing: Missing,
    threads: int | None,
    given: Doubles | None = None,
) -> Stream:
    """For each of ``sets`` of rows (with repetition) the estimates [K, D] of the benchmarks in ``columns``.

    The matrix is gone through as often as the memory of the estimates asks for: once for few domains.
    ``given`` [N] is what the partial correlation holds constant.
    """
    count = inputs.check_options(ties, missing, threads)
    errors = table.errors[:, list(columns)]

    def form_of(rows: NDArray[np.intp]) -> Form:
        if given is not None:
            return prepare_partial(errors[rows], given[rows], ties, missing)
        return prepared(estimator, errors[rows], ties, missing)

    wide = len(table.matrix.domains)
    together = max(PASS_BYTES // (8 * len(columns) * wide), 1)
    for start in range(0, len(sets), together):
        part = sets[start : start + together]
        forms = [form_of(rows) for rows in part]
        found = np.empty((len(part), len(columns), wide))
        done = 0
        for block in inputs.blocks_of(table.matrix.blocks(), len(table.models), missing, count):
            end = done + block.shape[1]
            for out, form, rows in zip(found, forms, part, strict=True):
                out[:, done:end] = form(block[rows], count)
            done = end
        yield from found


def counts(table: Table, columns: Sequence[int]) -> NDArray[np.int64]:
    """[K, D], how many models have both the benchmark and the domain."""
    there = ~np.isnan(table.errors[:, list(columns)])
    parts = [there.T.astype(np.int64) @ ~np.isnan(block) for block in table.matrix.blocks()]
    return np.concatenate(parts, axis=1)


def complete(table: Table) -> NDArray[np.bool_]:
    """[D], whether all models have the domain."""
    return np.concatenate([~np.isnan(block).any(axis=0) for block in table.matrix.blocks()])


def weighted_means(table: Table, weights: Doubles) -> Doubles:
    """[N, R], the mean of each model's bits per byte by each of ``weights`` [R, D].

    Over the domains that the model has a number for; NaN where it has none of any weight.
    """
    sums = np.zeros((len(table.models), len(weights)))
    shares = np.zeros_like(sums)
    done = 0
    for part in table.matrix.blocks():
        block = np.asarray(part, np.float64)
        own = weights[:, done : done + block.shape[1]].T
        there = ~np.isnan(block)
        sums += np.where(there, block, 0.0) @ own
        shares += there.astype(np.float64) @ own
        done += block.shape[1]
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / shares)
