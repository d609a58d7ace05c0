"""Do the domains selected predict which models are good? On families that were not used to select them."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.selection import resampling
from pyfastlm.selection.aggregation import ranks_of
from pyfastlm.selection.bootstrapping import draws as drawn_rows
from pyfastlm.selection.bootstrapping import percentiles
from pyfastlm.selection.closed_forms import Doubles, spearmanr
from pyfastlm.selection.folds import family_folds
from pyfastlm.selection.held_out import BASELINE, INVERTED, RANDOM, SELECTED, HeldOut, Prediction, Way
from pyfastlm.selection.options import Options, check_level, check_whole
from pyfastlm.selection.preparing import Group, Groups, Part, names_of, prepare
from pyfastlm.selection.scores import shared

FITTED = 3  # columns of predictions before those of random selections: selected, all domains, inverted


def predict_ranks(
    matrix: Any,
    errors: Any,
    options: Options,
    *,
    groups: Groups | None = None,
    folds: int | None = 5,
    draws: int = 20,
    replicates: int = 1000,
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

    Args:
        matrix, errors, tokens, families: as :func:`pyfastlm.selection.select` takes them.
        options: estimator, projection, budget and rules.
        groups: name -> benchmarks, to be predicted together: by the mean of their ranks. Default each
            benchmark by itself.
        folds: how many, of whole families; as many as families where these are fewer, or for None.
        draws: of random selections.
        replicates: of families for the intervals.
        level: of the intervals.
        seed: of folds, random selections and replicates.
        progress: show the benchmarks on standard error.

    Raises:
        InputError: an argument is wrong, or there is too little text for the budget.
    """
    check_whole(1, draws=draws, replicates=replicates)
    check_whole(0, seed=seed)
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
    families = [part.table.families[row] for row in having]
    fold_of = family_folds(families, min(folds or len(families), len(set(families))), seed)
    count = 1 + int(fold_of.max())
    training = [having[fold_of != fold] for fold in range(count)]
    if (fewest := min(map(len, training))) < 2:
        raise InputError(f"folds: expected two models or more outside of each fold, got {fewest}")
    weights = _weights(part, group, training, draws, seed)
    means = resampling.weighted_means(part.table, weights)[having]
    predicted = _comparable(means, fold_of, count)
    target = target[having]
    rhos = spearmanr(target[:, None], "average")(predicted, 1)[0]
    samples = np.stack(
        [
            spearmanr(target[rows, None], "average")(predicted[rows, :FITTED], 1)[0]
            for rows in drawn_rows(len(target), families, replicates, seed)
        ]
    )
    right = _pairs(predicted, target, fold_of, count)
    ways = [
        _way(name, rhos[column], samples[:, column], rhos[1], samples[:, 1], float(right[column]), level)
        for column, name in enumerate((SELECTED, BASELINE, INVERTED))
    ]
    at_random = _way(RANDOM, rhos[FITTED:].mean(), rhos[FITTED:], rhos[1],
                     np.full(draws, rhos[1]), float(right[FITTED:].mean()), level)  # fmt: skip
    above = (rhos[0] > rhos[FITTED:]) + 0.5 * (rhos[0] == rhos[FITTED:])
    return HeldOut(
        name=group.name,
        models=tuple(part.table.models[row] for row in having),
        families=tuple(map(str, families)),
        left_out=part.table.left_out,
        fold=fold_of,
        error=target,
        predicted=predicted[:, :FITTED],
        ways=(ways[0], ways[1], at_random, ways[2]),
        above_random=float(above.mean()),
        shared=float(np.mean([shared(weights[i], weights[j]) for i, j in combinations(range(count), 2)])),
    )


def _target(errors: Doubles) -> Doubles:
    """[N] from [N, K]: the error, of several the mean of ranks; NaN where one is missing."""
    if errors.shape[1] == 1:
        return errors[:, 0]
    there = np.flatnonzero(~np.isnan(errors).any(axis=1))
    target = np.full(len(errors), np.nan)
    target[there] = np.mean([ranks_of(column) for column in errors[there].T], axis=0)
    return target


def _weights(part: Part, group: Group, training: list[NDArray[np.intp]], draws: int, seed: int) -> Doubles:
    """[R, D]: those selected in each fold; the inverse ones of each; all domains; random ones."""
    scored = [part.select(estimates, group) for estimates in part.estimates(training)]
    selected = [weights for _, weights in scored]
    inverse = [part.project.weights(-scores, len(group.columns)) for scores, _ in scored]
    tokens = np.where(np.isfinite(scored[0][0]), part.table.tokens, 0.0)
    everything = tokens / tokens.sum()
    random = np.random.default_rng(seed)
    order = [random.permutation(len(tokens)).astype(np.float64) for _ in range(draws)]
    at_random = [part.project.at_random(np.where(np.isfinite(scored[0][0]), one, np.nan)) for one in order]
    found = [*selected, *inverse, everything, *at_random]
    if any(weights is None for weights in found):
        raise InputError("budget: expected at most what domains hold that have an estimate in every fold")
    return np.stack([weights for weights in found if weights is not None])


def _comparable(means: Doubles, fold_of: NDArray[np.intp], folds: int) -> Doubles:
    """[N, 3 + draws]: selected, all domains, inverted, random; each by the models outside of its fold."""
    inverse, fixed = means[:, folds : 2 * folds], means[:, 2 * folds :]
    found = np.empty((len(means), FITTED - 1 + fixed.shape[1]))
    for fold in range(folds):
        here = fold_of == fold
        own = np.column_stack([means[:, fold], fixed[:, 0], inverse[:, fold], fixed[:, 1:]])
        spread = own[~here].std(axis=0)
        center = own[~here].mean(axis=0)
        spread[spread <= 1e-12 * np.abs(center)] = 1.0  # of rounding only
        found[here] = (own[here] - center) / spread
    # What is equal but for rounding is tied.
    return np.asarray(np.round(found, 12), np.float64)


def _pairs(predicted: Doubles, target: Doubles, fold_of: NDArray[np.intp], folds: int) -> Doubles:
    """For each column the share of pairs within folds in the right order; a tie is half right."""
    right, pairs = np.zeros(predicted.shape[1]), 0
    for fold in range(folds):
        rows = np.flatnonzero(fold_of == fold)
        for i, j in combinations(rows, 2):
            if target[i] != target[j]:
                agree = np.sign(predicted[i] - predicted[j]) * np.sign(target[i] - target[j])
                right += (agree + 1) / 2
                pairs += 1
    return right / pairs if pairs else np.full(len(right), np.nan)


def _way(
    name: str, rho: float, samples: Doubles, base: float, base_samples: Doubles, right: float, level: float
) -> Way:
    both = np.stack([samples, samples - base_samples], axis=1)
    low, high, _ = percentiles(both, level)
    return Way(
        name,
        float(rho),
        float(low[0]),
        float(high[0]),
        float(rho - base),
        float(low[1]),
        float(high[1]),
        right,
    )
