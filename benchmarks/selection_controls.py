"""Checks of the selection itself, without training anything on it."""

from dataclasses import replace
from typing import Any

import numpy as np
from selection_ways import ONE_ORDER

from pyfastlm.demo.tasks import Task
from pyfastlm.selection import BenchmarkErrors, BpbMatrix, Options, Selection, predict_ranks, select

PERMUTATIONS = 100
REPLICATES = 200
COPIES = 10  # of every model of one family


def own_domain(matrix: BpbMatrix, errors: BenchmarkErrors, task: Task, seed: int) -> dict[str, Any]:
    """Place of the domain that a task's items are from, by its estimate, among all; 1 is the first.

    Other documents of that domain are among those of the matrix, so it must be near the top. With errors
    permuted among models it must be anywhere.
    """
    own = matrix.domains.index(task.sources[0])
    values = errors.values[:, errors.benchmarks.index(task.name)]
    rng = np.random.default_rng(seed)
    by_chance = [_place(_select(matrix, errors, rng.permutation(values)), own) for _ in range(PERMUTATIONS)]
    actual = _select(matrix, errors, values, replicates=REPLICATES, seed=seed)
    rows = [row for row, name in enumerate(matrix.models) if name.endswith(ONE_ORDER)]
    names = [matrix.models[row] for row in rows]
    alike = _select(matrix.only(names), errors.only(names), values[rows])
    return {
        "task": task.name,
        "place": _place(actual, own),
        "place, errors permuted": float(np.mean(by_chance)),
        "place, models of one order": _place(alike, own),
        "of": len(matrix.domains),
        "estimate": float(actual.estimate[own]),
        "interval": [float(actual.low[own]), float(actual.high[own])],
        "frequency": float(actual.frequency[own]),
        "stability": actual.basis.stability,
        "selected": [matrix.domains[place] for place in actual.order() if actual.weights[place] > 0],
        "first": [matrix.domains[place] for place in actual.order()[:5]],
    }


def duplicated(matrix: BpbMatrix, errors: BenchmarkErrors, seed: int) -> dict[str, Any]:
    """What ``COPIES`` of every model of one family change: in a plain selection, and where all copies are
    told apart from it by their numbers and left out."""
    family = errors.families[int(np.random.default_rng(seed).integers(len(errors.families)))]
    rows = [row for row, name in enumerate(errors.families) if name == family]
    names = [f"{errors.models[row]}, copy {copy}" for copy in range(COPIES) for row in rows]
    places = [*range(len(errors.models)), *(rows * COPIES)]
    again = replace(
        matrix,
        models=(*matrix.models, *names),
        families=tuple(matrix.families[place] for place in places),
        source=matrix.bits_per_byte[places],
        details=(),
    )
    more = BenchmarkErrors(again.models, again.families, errors.benchmarks, errors.values[places])
    found = {"family": family, "copies": COPIES * len(rows), "shared, copies kept": [], "shared, dropped": []}
    for column in range(errors.values.shape[1]):
        whole = _select(matrix, errors, errors.values[:, column])
        for rule, name in (("family", "shared, copies kept"), ("drop", "shared, dropped")):
            other = _select(again, more, more.values[:, column], duplicates=rule)
            found[name].append(float(np.minimum(whole.weights, other.weights).sum()))
    return {name: np.mean(v) if isinstance(v, list) else v for name, v in found.items()}


def prediction(matrix: BpbMatrix, errors: BenchmarkErrors, seed: int) -> dict[str, Any]:
    """Spearman's correlation of predicted and true errors on families that were held out."""
    options = Options(keep=BUDGET_SHARE, duplicates="family")
    found = predict_ranks(matrix, errors, options, folds=5, replicates=500, seed=seed)
    return {
        held_out.name: {
            way.name: {"rho": way.spearman, "interval": [way.low, way.high], "gain": way.gain,
                       "gain interval": [way.gain_low, way.gain_high], "pairs": way.pairs}
            for way in held_out.ways
        }
        for held_out in found.benchmarks
    }  # fmt: skip


BUDGET_SHARE = 0.1  # of the domains' text, for what has no pool


def _select(matrix: BpbMatrix, errors: BenchmarkErrors, values: np.ndarray, **options: Any) -> Selection:
    table = BenchmarkErrors(errors.models, errors.families, ("own",), values[:, None])
    found: Selection = select(matrix, table, keep=BUDGET_SHARE, **({"duplicates": "family"} | options))
    return found


def _place(selection: Selection, domain: int) -> int:
    return 1 + [*selection.order()].index(domain)
