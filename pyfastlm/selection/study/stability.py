"""How much a selection owes to one family of models, or to the estimator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.selection.aggregation import ranks_of
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.options import ESTIMATORS, Options
from pyfastlm.selection.study.preparing import Groups, Part, prepare
from pyfastlm.selection.study.scores import shared


class WithoutFamily(NamedTuple):
    """A family that was left out.

    Attributes:
        family: its label.
        models: how many it has.
        shared: share of the budget that the selection without it has in common with that of all; NaN where
            the domains that are left hold too little text.
        correlation: of the ranks of the domains' scores with those of all models.
    """

    family: str
    models: int
    shared: float
    correlation: float


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """Of a group of benchmarks: what each family is worth, the most influential first."""

    name: str
    families: tuple[WithoutFamily, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Of a group of benchmarks, how alike the selections of E estimators are.

    Attributes:
        name: of the group.
        estimators: E names.
        shared: [E, E], share of the budget in common; 1 on the diagonal.
        correlation: [E, E], of the ranks of the domains' scores.
    """

    name: str
    estimators: tuple[str, ...]
    shared: Doubles
    correlation: Doubles


def leave_one_family_out(
    matrix: Any,
    errors: Any,
    options: Options,
    *,
    groups: Groups | None = None,
    tokens: Any = None,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    progress: bool = False,
) -> tuple[Influence, ...]:
    """Select without each family in turn, and compare with the selection by all models.

    Arguments are those of :func:`pyfastlm.selection.select`; the result has one entry for each of ``groups``,
    or one for all benchmarks.

    Raises:
        InputError: an argument is wrong, or there are fewer than two families.
    """
    parts = prepare(matrix, errors, groups or "all", options, tokens=tokens, families=families)
    found = {one.name: one for part in parts for one in _influences(part, progress)}
    return tuple(found[name] for name in groups or ("all",))


def compare_estimators(
    matrix: Any,
    errors: Any,
    options: Options,
    *,
    estimators: Sequence[str] = ESTIMATORS,
    groups: Groups | None = None,
    tokens: Any = None,
    progress: bool = False,
) -> tuple[Agreement, ...]:
    """Select by each estimator, and compare the selections.

    Arguments and result as for :func:`leave_one_family_out`, but families do not matter, and neither does
    ``options.estimator``.

    Raises:
        InputError: an argument is wrong.
    """
    if not estimators:
        raise InputError("estimators: expected one or more, got none")
    made: dict[str, list[tuple[Doubles, Doubles]]] = {}
    for estimator in watched(estimators, len(estimators), "estimators", progress):
        own = replace(options, estimator=estimator)
        for part in prepare(matrix, errors, groups or "all", own, tokens=tokens):
            (estimates,) = part.estimates([np.arange(len(part.table.models), dtype=np.intp)])
            for group in part.groups:
                made.setdefault(group.name, []).append(part.selected(estimates, group))
    return tuple(
        Agreement(
            name,
            tuple(estimators),
            np.array([[shared(one, other) for _, one in made[name]] for _, other in made[name]]),
            np.array([[rank_correlation(one, other) for one, _ in made[name]] for other, _ in made[name]]),
        )
        for name in groups or ("all",)
    )


def rank_correlation(one: Doubles, other: Doubles) -> float:
    """Of two scores [D], over the domains that have both; NaN where one of them is all tied."""
    there = np.isfinite(one) & np.isfinite(other)
    if there.sum() < 2:
        return float("nan")
    a, b = ranks_of(one[there]), ranks_of(other[there])
    with np.errstate(invalid="ignore"):
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _least_first(one: WithoutFamily) -> tuple[float, str]:
    return (-1.0 if np.isnan(one.shared) else one.shared), one.family


def _influences(part: Part, progress: bool) -> list[Influence]:
    members: dict[Any, list[int]] = {}
    for row, label in enumerate(part.table.families):
        members.setdefault(label, []).append(row)
    if len(members) < 2:
        raise InputError("families: expected two or more, got 1")
    everyone = np.arange(len(part.table.models), dtype=np.intp)
    if min(len(everyone) - len(rows) for rows in members.values()) < 2:
        raise InputError("families: expected two models or more outside of each family")
    stream = part.estimates([everyone, *(np.delete(everyone, rows) for rows in members.values())])
    whole = next(stream).copy()
    base = [part.selected(whole, group) for group in part.groups]
    rows: list[list[WithoutFamily]] = [[] for _ in part.groups]
    for (label, own), estimates in zip(
        members.items(), watched(stream, len(members), "families", progress), strict=True
    ):
        for group, (scores, weights), into in zip(part.groups, base, rows, strict=True):
            other, without = part.select(estimates, group)
            common = float("nan") if without is None else shared(weights, without)
            into.append(WithoutFamily(str(label), len(own), common, rank_correlation(scores, other)))
    return [
        Influence(group.name, tuple(sorted(found, key=_least_first)))
        for group, found in zip(part.groups, rows, strict=True)
    ]
