"""Do the domains selected predict which models are good? On families that were not used to select them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.selection.aggregation import ranks_of
from pyfastlm.selection.closed_forms import Doubles, spearmanr
from pyfastlm.selection.fold_runs import LEAST_TRAINING, WAYS, runs
from pyfastlm.selection.folds import family_folds, halves
from pyfastlm.selection.held_out import BASELINE, INVERTED, RANDOM, SELECTED, HeldOut, Prediction, Way
from pyfastlm.selection.options import Options, check_level, check_whole
from pyfastlm.selection.preparing import Group, Groups, Part, names_of, prepare
from pyfastlm.selection.scores import shared


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
        progress: show the benchmarks on standard error.

    Raises:
        InputError: an argument is wrong, or there is too little text for the budget.
    """
    check_whole(1, draws=draws)
    check_whole(0, replicates=replicates, seed=seed)
    check_level(level)
    parts = prepare(matrix, errors, groups or "each", options, tokens=tokens, families=families)
    pairs = [(part, group) for part in parts for group in part.groups]
    found = {
        group.name: _predict(part, group, folds, draws, replicates, level, seed)
        for part, group in watched(pairs, len(pairs), "benchmarks", progress)
    }
    ordered = tuple(found[name] for name in names_of(groups or "each", parts))
    return Prediction(ordered, draws, replicates, level, seed)


def _predict(
    part: Part, group: Group, folds: int | None, draws: int, replicates: int, level: float, seed: int
) -> HeldOut:
    target = _target(part.table.errors[:, list(group.columns)])
    having = np.flatnonzero(~np.isnan(target))
    target = target[having]
    families = [part.table.families[row] for row in having]
    count = len(set(families))
    fold_of = family_folds(families, count if folds is None else min(folds, count), seed)
    subsets = [np.arange(len(having)), *halves(families, replicates, seed)]
    stream = runs(part, group, having, fold_of, subsets, draws, seed)
    whole = next(stream)
    if whole is None:
        raise InputError(
            f"folds: expected {LEAST_TRAINING} models or more outside of each fold, and enough text of the "
            "domains that have an estimate"
        )
    samples = [
        _statistics(_rho(run.predicted[:, :WAYS], target[rows]))
        for rows, run in zip(subsets[1:], stream, strict=True)
        if run is not None
    ]
    rhos = _rho(whole.predicted, target)
    error = _standard_error(samples, replicates, count)
    right = _pairs(whole.predicted, target, fold_of)
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    ways = [
        _way(name, rhos[column], rhos[1], reach[:, column], float(right[column]))
        for column, name in enumerate((SELECTED, BASELINE, INVERTED))
    ]
    at_random = rhos[WAYS:]
    low, high = np.quantile(at_random, ((1 - level) / 2, (1 + level) / 2))
    of_random = Way(RANDOM, at_random.mean(), low, high, at_random.mean() - rhos[1], low - rhos[1],
                    high - rhos[1], right[WAYS:].mean())  # fmt: skip
    above = (rhos[0] > at_random) + 0.5 * (rhos[0] == at_random)
    common = [shared(one, other) for one, other in combinations(whole.weights, 2)]
    return HeldOut(
        name=group.name,
        models=tuple(part.table.models[row] for row in having),
        families=tuple(map(str, families)),
        left_out=part.table.left_out,
        fold=fold_of,
        error=target,
        predicted=whole.predicted[:, :WAYS],
        ways=(ways[0], ways[1], Way(RANDOM, *map(float, of_random[1:])), ways[2]),
        above_random=float(above.mean()),
        shared=float(np.mean(common)),
        replicates=len(samples),
    )


def _target(errors: Doubles) -> Doubles:
    """[N] from [N, K]: the error, of several the mean of ranks; NaN where one is missing."""
    if errors.shape[1] == 1:
        return errors[:, 0]
    there = np.flatnonzero(~np.isnan(errors).any(axis=1))
    target = np.full(len(errors), np.nan)
    target[there] = np.mean([ranks_of(column) for column in errors[there].T], axis=0)
    return target


def _rho(predicted: Doubles, target: Doubles) -> Doubles:
    return np.asarray(spearmanr(target[:, None], "average")(predicted, 1)[0])


def _statistics(rhos: Doubles) -> Doubles:
    """[2, 3]: Fisher's transformation of each, and the differences to all domains."""
    return np.stack([np.arctanh(np.clip(rhos, -1 + 1e-9, 1 - 1e-9)), rhos - rhos[1]])


def _standard_error(samples: list[Doubles], replicates: int, families: int) -> Doubles:
    """[2, 3], of the statistics; NaN where fewer than half of the replicates could be done."""
    there = [sample for sample in samples if np.isfinite(sample).all()]
    if len(there) < max(replicates / 2, 2):
        return np.full((2, WAYS), np.nan)
    gone = families // 2
    return np.asarray(np.std(there, axis=0, ddof=1) * ((families - gone) / gone) ** 0.5)


def _way(name: str, rho: float, base: float, reach: Doubles, right: float) -> Way:
    center = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    low, high = np.tanh(center - reach[0]), np.tanh(center + reach[0])
    gain = float(rho - base)
    return Way(
        name, float(rho), float(low), float(high), gain, float(gain - reach[1]), float(gain + reach[1]), right
    )


def _pairs(predicted: Doubles, target: Doubles, fold_of: NDArray[np.intp]) -> Doubles:
    """For each column the share of pairs within folds in the right order; a tie is half right."""
    right, pairs = np.zeros(predicted.shape[1]), 0
    for fold in np.unique(fold_of):
        rows = np.flatnonzero(fold_of == fold)
        for i, j in combinations(rows, 2):
            if target[i] != target[j]:
                agree = np.sign(predicted[i] - predicted[j]) * np.sign(target[i] - target[j])
                right += (agree + 1) / 2
                pairs += 1
    return right / pairs if pairs else np.full(len(right), np.nan)
