"""What is asked of a matrix and errors, checked and brought together: the common start of all analyses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.budget import bounds
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study import resampling
from pyfastlm.selection.study.joining import LeftOut, Table, join
from pyfastlm.selection.study.options import Options
from pyfastlm.selection.study.partial import PARTIAL
from pyfastlm.selection.study.rules import present, without_duplicates
from pyfastlm.selection.study.scanning import Scan, scan
from pyfastlm.selection.study.scores import Projector

Groups = Mapping[str, Sequence[str]]
Grouping = Literal["all", "each"]


class Group(NamedTuple):
    """Benchmarks that are selected for together: columns of the table's errors."""

    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Groups of benchmarks that rest on the same models.

    Attributes:
        table: of these models alone.
        groups: of benchmarks.
        models_of: [K, D], of how many models an estimate is; K as in the table.
        usable: [K, D] bool, where there may be one by the rule for missing numbers.
        options: as asked for.
        tokens: that are to be given out.
        project: scores and weights of the domains.
    """

    table: Table
    groups: tuple[Group, ...]
    models_of: NDArray[np.int64]
    usable: NDArray[np.bool_]
    options: Options
    tokens: int
    project: Projector

    def estimates(self, sets: Sequence[NDArray[np.intp]]) -> "resampling.Stream":
        """For each set of rows the estimates [K, D], NaN where they are not usable."""
        options = self.options
        stream = resampling.estimates(
            self.table, range(len(self.table.benchmarks)), sets, estimator=options.estimator,
            ties=options.ties, missing=options.masking, threads=options.threads,
            given=mean_bits(self.table) if options.estimator == PARTIAL else None,
        )  # fmt: skip
        for found in stream:
            found[~self.usable] = np.nan
            yield found

    def select(self, estimates: Doubles, group: Group) -> tuple[Doubles, Doubles | None]:
        """Scores [D] and weights [D] for a group; no weights where text is lacking for the budget."""
        scores = self.project.scores(estimates[list(group.columns)])
        return scores, self.project.weights(scores, len(group.columns))

    def selected(self, estimates: Doubles, group: Group) -> tuple[Doubles, Doubles]:
        """The same where weights must be had.

        Raises:
            InputError: text is lacking for the budget.
        """
        scores, weights = self.select(estimates, group)
        if weights is None:
            there = np.isfinite(scores)
            raise InputError(
                f"budget: expected at most what the {there.sum():,} domains with an estimate hold, "
                f"{self.table.tokens[there].sum() * self.options.repeats:,.0f} tokens, got {self.tokens:,}"
            )
        return scores, weights


def prepare(
    matrix: Any,
    errors: Any,
    groups: Groups | Grouping,
    options: Options,
    *,
    tokens: Any = None,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
) -> list[Part]:
    """Parts that hold all groups; a model that is left out of one group stays in the others.

    Args:
        groups: name -> benchmarks; ``"all"`` for one of all, ``"each"`` for each by itself.
        matrix, errors, tokens, families: see :func:`pyfastlm.selection.joining.join`.

    Raises:
        InputError: an argument is wrong.
    """
    whole = join(matrix, errors, tokens=tokens, families=families)
    table, found = without_duplicates(whole, scan(whole), options.duplicates)
    budget = _budget(table, options)
    tau = bounds(table.tokens, budget=budget, repeats=options.repeats)
    project = Projector(options.estimator, options.projection, tau)
    together: dict[tuple[tuple[int, ...], tuple[LeftOut, ...]], list[Group]] = {}
    for group in _groups(table.benchmarks, groups):
        rows, reasons = present(table, found, group.columns, options.missing)
        together.setdefault((tuple(rows.tolist()), tuple(reasons)), []).append(group)
    return [
        _part(table.only(kept, reasons), found.only(kept), members, options, budget, project)
        for (rows, reasons), members in together.items()
        for kept in [np.array(rows, np.intp)]
    ]


def mean_bits(table: Table) -> Doubles:
    """[N], each model's mean bits per byte over all text: domains that all models have, by their tokens."""
    weights = np.where(resampling.complete(table), table.tokens, 0.0)
    return resampling.weighted_means(table, weights[None])[:, 0]


def names_of(groups: Groups | Grouping, parts: list[Part]) -> list[str]:
    """The names of the groups, in the order in which they were given."""
    if isinstance(groups, Mapping):
        return list(groups)
    return ["all"] if groups == "all" else list(parts[0].table.benchmarks)


def _part(
    table: Table, found: Scan, groups: list[Group], options: Options, budget: int, project: Projector
) -> Part:
    count, shape = len(table.models), (len(table.benchmarks), len(table.matrix.domains))
    models_of = np.full(shape, count)
    if found.gaps.any() or np.isnan(table.errors).any():
        models_of = resampling.counts(table, range(len(table.benchmarks)))
    if options.missing == "drop_domains":
        usable = np.repeat(resampling.complete(table)[None], shape[0], axis=0)
    else:
        least = options.least or max(math.ceil(count / 2), 3)
        usable = models_of >= (least if options.missing == "mask" else 2)
    return Part(table, tuple(groups), models_of, usable, options, budget, project)


def _groups(benchmarks: tuple[str, ...], groups: Groups | Grouping) -> list[Group]:
    if groups == "all":
        return [Group("all", tuple(range(len(benchmarks))))]
    if groups == "each":
        return [Group(name, (column,)) for column, name in enumerate(benchmarks)]
    if not isinstance(groups, Mapping) or not groups:
        raise InputError(f"groups: expected names with their benchmarks, got {groups!r}")
    place = {name: column for column, name in enumerate(benchmarks)}
    found = []
    for name, members in groups.items():
        wanted = [str(member) for member in members]
        if isinstance(members, str) or not wanted or len(set(wanted)) < len(wanted):
            raise InputError(f"groups: {name!r}: expected benchmarks, each once, got {members!r}")
        if unknown := [member for member in wanted if member not in place]:
            raise InputError(
                f"groups: {name!r}: expected some of {', '.join(benchmarks)}, got {unknown[0]!r}"
            )
        found.append(Group(name, tuple(place[member] for member in wanted)))
    return found


def _budget(table: Table, options: Options) -> int:
    """In tokens; ``bounds`` refuses what there is not enough text for."""
    if options.keep is None or options.budget is not None:
        if isinstance(options.budget, bool) or not isinstance(options.budget, int | None):
            raise InputError(f"budget: expected a whole number of tokens, got {options.budget!r}")
        bounds(table.tokens, keep=options.keep, budget=options.budget, repeats=options.repeats)
        return int(options.budget or 0)
    bounds(table.tokens, keep=options.keep, repeats=options.repeats)
    # Rounded first: 0.29 times 100 is a little less than 29.
    budget = math.floor(round(options.keep * float(table.tokens.sum()), 6))
    if budget < 1:
        raise InputError(
            f"keep: expected 1 token or more to keep, got {options.keep!r} of the tokens there are"
        )
    return budget
