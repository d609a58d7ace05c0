"""How good a held-out prediction is: correlations, their standard errors, pairs in the right order."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles, spearmanr
from pyfastlm.selection.study.fold_runs import LEAST_TRAINING, WAYS, Run
from pyfastlm.selection.study.held_out import BASELINE, INVERTED, RANDOM, SELECTED, Way
from pyfastlm.selection.study.scores import shared


def measured(
    run: Run | None, target: Doubles, fold_of: NDArray[np.intp], reach: Doubles, level: float
) -> dict[str, Any]:
    """What a run is worth: fields of the result. ``reach`` [2, 3] is how far intervals go to each side."""
    if run is None:
        raise InputError(
            f"folds: expected {LEAST_TRAINING} models or more outside of each fold, enough text of domains "
            "with an estimate, and some domain of each selection for every model"
        )
    rhos, right = rank_correlations(run.predicted, target), _pairs(run.predicted, target, fold_of)
    selected, everything, inverted = (
        _way(name, rhos[column], rhos[1], reach[:, column], float(right[column]))
        for column, name in enumerate((SELECTED, BASELINE, INVERTED))
    )
    at_random = rhos[WAYS:]
    ends = np.quantile(at_random, ((1 - level) / 2, (1 + level) / 2))
    values = (at_random.mean(), *ends, at_random.mean() - rhos[1], *(ends - rhos[1]), right[WAYS:].mean())
    above = (rhos[0] > at_random) + 0.5 * (rhos[0] == at_random)
    return {
        "predicted": run.predicted[:, :WAYS],
        "ways": (selected, everything, Way(RANDOM, *map(float, values)), inverted),
        "above_random": float(above.mean()),
        "shared": float(np.mean([shared(one, other) for one, other in combinations(run.weights, 2)])),
    }


def rank_correlations(predicted: Doubles, target: Doubles) -> Doubles:
    """[R], Spearman's of each column of [n, R] with the error [n]; NaN where one is all tied."""
    return np.asarray(spearmanr(target[:, None], "average")(predicted, 1)[0])


def statistics_of(rhos: Doubles) -> Doubles:
    """[2, 3]: Fisher's transformation of each, and the differences to all domains."""
    return np.stack([np.arctanh(np.clip(rhos, -1 + 1e-9, 1 - 1e-9)), rhos - rhos[1]])


def standard_error(samples: list[Doubles], replicates: int, families: int) -> Doubles:
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
