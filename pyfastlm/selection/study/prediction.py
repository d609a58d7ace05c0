"""Do the domains selected predict which models are good? On families that were not used to select them."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from pyfastlm.lm.progress import watched
from pyfastlm.selection.aggregation import ranks_of
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.fold_runs import WAYS, runs
from pyfastlm.selection.study.folds import family_folds, halves
from pyfastlm.selection.study.held_out import HeldOut, Prediction
from pyfastlm.selection.study.held_out_measures import (
    measured,
    rank_correlations,
    standard_error,
    statistics_of,
)
from pyfastlm.selection.study.options import Options, check_level, check_whole
from pyfastlm.selection.study.preparing import Group, Groups, Part, names_of, prepare

WEIGHT_BYTES = 1 << 28  # of the selections of all folds and groups


def predict_ranks(
    matrix: Any,
    errors: Any,
    options: Options,
    *,
    groups: Groups | None = None,
    folds: int | None = 5,
    draws: int = 20,
    replicates: int = 100,
    tokens: Any = None,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> Prediction:
    """Rank models by their bits per byte on domains that were selected without them and their families.

    In each fold domains are selected with the models of the other folds. A model that is held out is
    predicted by its mean bits per byte on them, weighted as selected, less the mean of the other models and
    divided by their spread, so that folds can be compared; no error of a held-out model is used. Beside it,
    by the same steps: all domains, weighted by their tokens, which needs no errors at all and is what a
    selection has to beat, because better models need fewer bits everywhere; random selections within the
    budget; and the selection with the sign of the estimates turned.

    Intervals count that predictions share the models they were selected with: everything is done anew with a
    random half of the families, and the spread over halves is the standard error (the delete-half jackknife;
    normal quantiles, of correlations after Fisher's transformation). They are rather too wide than too
    narrow.

    Args:
        matrix, errors, tokens, families: as :func:`pyfastlm.selection.select` takes them.
        options: estimator, projection, budget and rules.
        groups: name -> benchmarks, to be predicted together: by the mean of their ranks. Default each
            benchmark by itself.
        folds: how many, of whole families; as many as families where these are fewer, or for None.
        draws: of random selections.
        replicates: halves of the families, for the intervals; 0 for none.
        level: of the intervals.
        seed: of folds, random selections and halves.
        progress: show the halves on standard error.

    Raises:
        InputError: an argument is wrong, or there is too little text for the budget.
    """
    check_whole(1, draws=draws)
    check_whole(0, replicates=replicates, seed=seed)
    check_level(level)
    parts = prepare(matrix, errors, groups or "each", options, tokens=tokens, families=families)
    found = {
        one.name: one
        for part in parts
        for batch in _batches(part, folds or len(part.table.models))
        for one in _predict(part, batch, folds, draws, replicates, level, seed, progress)
    }
    ordered = tuple(found[name] for name in names_of(groups or "each", parts))
    return Prediction(ordered, draws, replicates, level, seed)


def _batches(part: Part, folds: int) -> Iterator[list[Group]]:
    """Groups with the same models, as many as the memory of their weights allows."""
    together: dict[bytes, list[Group]] = {}
    for group in part.groups:
        together.setdefault(np.isnan(_target(part, group)).tobytes(), []).append(group)
    size = max(WEIGHT_BYTES // (8 * 2 * folds * len(part.table.matrix.domains)), 1)
    for groups in together.values():
        for start in range(0, len(groups), size):
            yield groups[start : start + size]


def _predict(
    part: Part, groups: list[Group], folds: int | None, draws: int, replicates: int, level: float, seed: int,
    progress: bool,
) -> list[HeldOut]:  # fmt: skip
    targets = np.stack([_target(part, group) for group in groups])
    having = np.flatnonzero(~np.isnan(targets[0]))
    targets = targets[:, having]
    families = [part.table.families[row] for row in having]
    count = len(set(families))
    fold_of = family_folds(families, count if folds is None else min(folds, count), seed)
    subsets = [np.arange(len(having)), *halves(families, replicates, seed)]
    stream = runs(part, groups, having, fold_of, subsets, draws, seed)
    whole = next(stream)
    samples: list[list[Doubles]] = [[] for _ in groups]
    for rows, found in zip(subsets[1:], watched(stream, replicates, "halves", progress), strict=True):
        for run, target, into in zip(found, targets, samples, strict=True):
            if run is not None:
                into.append(statistics_of(rank_correlations(run.predicted[:, :WAYS], target[rows])))
    quantile = NormalDist().inv_cdf((1 + level) / 2)
    return [
        HeldOut(
            name=group.name,
            models=tuple(part.table.models[row] for row in having),
            families=tuple(map(str, families)),
            left_out=part.table.left_out,
            fold=fold_of,
            error=target,
            replicates=len(own),
            **measured(run, target, fold_of, quantile * standard_error(own, replicates, count), level),
        )
        for group, run, target, own in zip(groups, whole, targets, samples, strict=True)
    ]


def _target(part: Part, group: Group) -> Doubles:
    """[N]: the error, of several benchmarks the mean of ranks; NaN where one is missing."""
    errors = part.table.errors[:, list(group.columns)]
    if errors.shape[1] == 1:
        return errors[:, 0]
    there = np.flatnonzero(~np.isnan(errors).any(axis=1))
    target = np.full(len(errors), np.nan)
    target[there] = np.mean([ranks_of(column) for column in errors[there].T], axis=0)
    return target
