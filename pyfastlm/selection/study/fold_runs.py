"""Mean bits per byte on domains that were selected without a model: for all of them, and for some."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study import resampling
from pyfastlm.selection.study.preparing import Group, Part

LEAST_TRAINING = 2  # models outside of a fold
WAYS = 3  # columns of a prediction before those of random selections: selected, all domains, inverted


class Run(NamedTuple):
    """A prediction of each of some models by others of them.

    Attributes:
        predicted: [n, 3 + draws]: by the domains selected, all, those selected in the inverse order, and
            random ones.
        weights: [D] for each fold, those selected.
    """

    predicted: Doubles
    weights: list[Doubles]


def runs(
    part: Part,
    groups: Sequence[Group],
    having: NDArray[np.intp],
    fold_of: NDArray[np.intp],
    subsets: Sequence[NDArray[np.intp]],
    draws: int,
    seed: int,
) -> Iterator[list[Run | None]]:
    """For each of ``subsets`` of the models a run for each group; None where something is lacking."""
    folds = [np.unique(fold_of[rows]) for rows in subsets]
    training = [
        [rows[fold_of[rows] != fold] for fold in own] for rows, own in zip(subsets, folds, strict=True)
    ]
    able = [min(map(len, sets)) >= LEAST_TRAINING for sets in training]
    stream = part.estimates(
        [having[rows] for sets, possible in zip(training, able, strict=True) if possible for rows in sets]
    )
    columns = sorted({column for group in groups for column in group.columns})
    fixed = _fixed(part, np.asarray(part.usable[columns].all(axis=0)), draws, seed)[having]
    for rows, own, possible in zip(subsets, folds, able, strict=True):
        chosen: list[list[Doubles | None]] = [[] for _ in groups]
        turned: list[list[Doubles | None]] = [[] for _ in groups]
        for _ in own if possible else ():
            estimates = next(stream)
            for place, group in enumerate(groups):
                scores, weights = part.select(estimates, group)
                chosen[place].append(weights)
                turned[place].append(part.project.weights(-scores, len(group.columns)))
        found: list[Run | None] = []
        for one, other in zip(chosen, turned, strict=True):
            weights_of = [weights for weights in (*one, *other) if weights is not None]
            if not possible or len(weights_of) < 2 * len(own):
                found.append(None)
                continue
            means = resampling.weighted_means(part.table, np.stack(weights_of))[having[rows]]
            if np.isnan(means).any() or np.isnan(fixed[rows]).any():  # a model has none of the domains
                found.append(None)
                continue
            found.append(Run(_comparable(means, fixed[rows], fold_of[rows], own), weights_of[: len(own)]))
        yield found


def _fixed(part: Part, usable: NDArray[np.bool_], draws: int, seed: int) -> Doubles:
    """[N, 1 + draws]: mean bits per byte on all usable domains by their tokens, and on random selections."""
    tokens = np.where(usable, part.table.tokens, 0.0)
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(tokens)).astype(np.float64) for _ in range(draws)]
    weights = [part.project.at_random(np.where(usable, order, np.nan)) for order in orders]
    known = [one for one in weights if one is not None]
    if len(known) < draws:
        raise InputError("budget: expected at most what the domains hold that all rules leave")
    return resampling.weighted_means(part.table, np.stack([tokens / tokens.sum(), *known]))


def _comparable(
    means: Doubles, fixed: Doubles, fold_of: NDArray[np.intp], folds: NDArray[np.intp]
) -> Doubles:
    """[n, 3 + draws]: selected, all domains, inverted, random; each in units of those outside of its fold."""
    found = np.empty((len(means), WAYS - 1 + fixed.shape[1]))
    for place, fold in enumerate(folds):
        here = fold_of == fold
        own = np.column_stack([means[:, place], fixed[:, 0], means[:, len(folds) + place], fixed[:, 1:]])
        center, spread = own[~here].mean(axis=0), own[~here].std(axis=0)
        spread[spread <= 1e-12 * np.abs(center)] = 1.0  # of rounding only
        found[here] = (own[here] - center) / spread
    # What is equal but for rounding is tied.
    return np.asarray(np.round(found, 12), np.float64)
