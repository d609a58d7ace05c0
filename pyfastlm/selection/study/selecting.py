"""Select domains: from bits per byte and errors to a distribution over domains within a budget of tokens."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from pyfastlm.lm.progress import watched
from pyfastlm.selection.bootstrapping import draws
from pyfastlm.selection.budget import allot
from pyfastlm.selection.closed_forms import Doubles, Ties
from pyfastlm.selection.study.options import Options, check_level, check_whole
from pyfastlm.selection.study.preparing import Group, Grouping, Groups, Part, names_of, prepare
from pyfastlm.selection.study.rules import DuplicateRule, MissingRule
from pyfastlm.selection.study.samples import MEMORY, Samples
from pyfastlm.selection.study.scores import ProjectionName, shared
from pyfastlm.selection.study.selection_table import Basis, Selection


def select(
    matrix: Any,
    errors: Any,
    *,
    estimator: str = "spearmanr",
    projection: ProjectionName = "linear",
    keep: float | None = None,
    budget: int | None = None,
    repeats: float = 1.0,
    tokens: Any = None,
    groups: Groups | None = None,
    missing: MissingRule = "raise",
    least: int | None = None,
    duplicates: DuplicateRule = "raise",
    ties: Ties = "average",
    replicates: int = 0,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Any:
    """Which domains to train on: those where models that need few bits have small errors.

    Models are brought together by name; those that only one side has are listed, with the reason, in the
    selection's ``basis``. Of equal estimates the domain that comes first in the matrix goes first.

    Args:
        matrix: a :class:`BpbMatrix` of N models and D domains, or its file, which is streamed; or an array
            [N, D] in bits/byte.
        errors: a :class:`BenchmarkErrors` or the file of one; beside an array an array [N] or [N, K].
        estimator: ``"product"``, ``"sign"``, ``"sign_cdf"``, ``"sign_sign"``, ``"spearmanr"``; or
            ``"partial_spearmanr"`` given each model's mean bits per byte over all text, for what a domain
            says beyond that.
        projection: ``"linear"`` takes the best domains in full. ``"l2"`` takes the weights nearest to the
            estimates, turned into weights first (Thrush et al., section 3); those of ``product``,
            ``sign`` and ``partial_spearmanr`` are taken as they are.
        keep, budget: what part of all tokens to select, or how many; one of the two.
        repeats: how often a text may be used.
        tokens: [D], how much text of each domain there is; default that of the matrix, for an array 1 each.
        groups: name -> names of benchmarks (for an array ``"0"``, ``"1"``, ...): a selection for each.
            Default one selection for all benchmarks. The benchmarks of a group count by the ranks of their
            estimates.
        missing: ``"raise"`` refuses NaN. ``"drop_models"`` leaves out models with a NaN, of the matrix or of
            the errors of the group. ``"drop_domains"`` leaves out domains that a model lacks, and models
            without an error. ``"mask"`` estimates each domain from the models that have it and the
            benchmark; a domain with fewer than ``least`` of them is left out.
        least: default half of the models, and 3 or more.
        duplicates: of models with the same bits per byte on every domain: ``"raise"``, ``"drop"`` all but the
            first, or make one ``"family"`` of them.
        ties: of the estimator.
        replicates: how often to draw families anew for intervals and frequencies; 0 for none.
        families: a label for each model of the matrix, by name or in order; default those of the matrix (an
            array has a family for each model). Models of a family are drawn together.
        level: of the intervals.
        seed: of the draws.
        threads: of the ranking.
        progress: show the replicates on standard error.

    Returns:
        A :class:`Selection`; with ``groups`` a tuple of them, in that order.

    Raises:
        InputError: an argument is wrong, or there is too little text for the budget.
    """
    options = Options(
        estimator, projection, keep, budget, repeats, missing, least, duplicates, ties, threads
    )  # fmt: skip
    found = selections(
        matrix, errors, options, "all" if groups is None else groups, tokens=tokens, replicates=replicates,
        families=families, level=level, seed=seed, progress=progress,
    )  # fmt: skip
    return found[0] if groups is None else found


def selections(
    matrix: Any,
    errors: Any,
    options: Options,
    groups: Groups | Grouping,
    *,
    tokens: Any = None,
    replicates: int = 0,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> tuple[Selection, ...]:
    """A selection for each group, in their order; arguments as for :func:`select`."""
    check_whole(0, replicates=replicates, seed=seed)
    check_level(level)
    parts = prepare(matrix, errors, groups, options, tokens=tokens, families=families)
    found = {
        selection.name: selection
        for part in parts
        for selection in _of_part(part, replicates, level, seed, progress)
    }
    return tuple(found[name] for name in names_of(groups, parts))


def _of_part(part: Part, replicates: int, level: float, seed: int, progress: bool) -> list[Selection]:
    models = len(part.table.models)
    everyone = np.arange(models, dtype=np.intp)
    drawn = draws(models, part.table.families, replicates, seed) if replicates else []
    stream = part.estimates([everyone, *drawn])
    whole = next(stream).copy()
    memory = MEMORY // len(part.groups)
    with ExitStack() as stack:
        made = [
            _Replicates(part, group, whole, stack.enter_context(Samples(replicates, whole.shape[1], memory)))
            for group in part.groups
        ]
        for row, estimates in enumerate(watched(stream, replicates, "replicates", progress)):
            for one in made:
                one.add(row, estimates)
        return [one.selection(level, seed) for one in made]


class _Replicates:
    """A group's selection by all models, and what the replicates say about it."""

    def __init__(self, part: Part, group: Group, whole: Doubles, samples: Samples) -> None:
        self._part, self._group, self._samples = part, group, samples
        self._scores, self._weights = part.selected(whole, group)
        self._selected = np.zeros(len(self._weights), np.int64)
        self._with_whole: list[float] = []
        self._with_last: list[float] = []
        self._last: Doubles | None = None

    def add(self, row: int, estimates: Doubles) -> None:
        """One replicate; where it has too few estimates for a selection it is not counted as one."""
        scores, weights = self._part.select(estimates, self._group)
        self._samples.put(row, scores)
        if weights is not None:
            self._selected += weights > 0
            self._with_whole.append(shared(weights, self._weights))
            if self._last is not None:
                self._with_last.append(shared(weights, self._last))
            self._last = weights

    def selection(self, level: float, seed: int) -> Selection:
        part, count = self._part, len(self._with_whole)
        table, options = part.table, part.options
        low, high, _ = self._samples.percentiles(level)
        with np.errstate(invalid="ignore"):
            frequency = self._selected / np.float64(count)
        limits = np.floor(table.tokens * options.repeats)
        return Selection(
            name=self._group.name,
            domains=table.matrix.domains,
            tokens=table.tokens,
            models_of=part.models_of[list(self._group.columns)].min(axis=0),
            estimate=self._scores,
            low=low,
            high=high,
            frequency=frequency,
            weights=self._weights,
            allotted=allot(self._weights, part.tokens, tokens=limits),
            basis=Basis(
                estimator=options.estimator,
                projection=options.projection,
                benchmarks=tuple(table.benchmarks[column] for column in self._group.columns),
                models=table.models,
                families=tuple(map(str, table.families)),
                left_out=table.left_out,
                ties=options.ties,
                missing=options.missing,
                budget=part.tokens,
                repeats=options.repeats,
                level=level,
                seed=seed,
                replicates=count,
                stability=_mean(self._with_whole),
                agreement=_mean(self._with_last),
            ),
        )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
