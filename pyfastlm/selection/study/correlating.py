"""What each domain says about each benchmark: the estimate, its interval, its significance, its own part."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.lm.progress import watched
from pyfastlm.selection.bootstrapping import draws
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.joining import LeftOut
from pyfastlm.selection.study.names import interval, number, shown
from pyfastlm.selection.study.options import Options, check_level, check_whole
from pyfastlm.selection.study.partial import PARTIAL
from pyfastlm.selection.study.permutations import NotExchangeable, Significance, significance_of
from pyfastlm.selection.study.preparing import Part, prepare
from pyfastlm.selection.study.samples import MEMORY, Samples

TESTS = ("p", "family_wise", "q")
COLUMNS = ("domain", "estimate", "95 %", "partial", "p", "family-wise", "q")


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """One benchmark.

    Attributes:
        benchmark: its name.
        models, families: [N], that were used.
        left_out: models that were not.
        domains: D names.
        models_of: [D] int64, of how many models an estimate is.
        estimate, low, high: [D] float64, with the percentile interval from draws of families; NaN where there
            is none.
        partial: [D] float64, Spearman's correlation given each model's mean bits per byte.
        significance: of the estimates; None without permutations, or where families do not allow them.
        remark: why there is no significance, else empty.
        level: of the intervals.
    """

    benchmark: str
    models: tuple[str, ...]
    families: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    domains: tuple[str, ...]
    models_of: NDArray[np.int64]
    estimate: Doubles
    low: Doubles
    high: Doubles
    partial: Doubles
    significance: Significance | None
    remark: str
    level: float

    def order(self) -> NDArray[np.intp]:
        """[D], by falling estimate; of equals the first comes first, NaN last."""
        return np.argsort(-self.estimate, kind="stable")

    def title(self, estimator: str) -> str:
        """Of a table, in one line."""
        return f"{estimator}: {shown(self.benchmark)}"

    def columns(self) -> list[str]:
        """Heads of :meth:`cells`."""
        return [column.replace("95", f"{100 * self.level:g}") for column in COLUMNS]

    def cells(self, most: int | None = None) -> list[list[str]]:
        """A row of a table for each domain, the greatest estimates first; at most so many."""
        test = self.significance
        tests = (test.p, test.family_wise, test.q) if test else ()
        return [
            [
                shown(self.domains[row]),
                number(self.estimate[row], "+.3f"),
                interval(self.low[row], self.high[row], "+.2f"),
                number(self.partial[row], "+.3f"),
                *([number(values[row], ".4f") for values in tests] or ["", "", ""]),
            ]
            for row in self.order()[:most].tolist()
        ]  # fmt: skip

    def table(self) -> dict[str, list[Any]]:
        """Columns for a file, a row for each domain."""
        test, nothing = self.significance, [float("nan")] * len(self.domains)
        reals = {name: getattr(self, name).tolist() for name in ("estimate", "low", "high", "partial")}
        tests = {name: getattr(test, name).tolist() if test else nothing for name in TESTS}
        return {"domain": list(self.domains), "models_of": self.models_of.tolist(), **reals, **tests}

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON: a list of domains in the order of the matrix."""
        columns = self.table()
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return {
            "benchmark": self.benchmark,
            "models": list(self.models),
            "families": list(self.families),
            "left_out": [list(one) for one in self.left_out],
            "remark": self.remark,
            "domains": rows,
        }


def save_correlations(correlations: Sequence[Correlation], path: "str | os.PathLike[str]") -> None:
    """Write a Parquet file: a row for each benchmark and domain; null is NaN.

    Raises:
        OSError: it cannot be written.
    """
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    tables = []
    for one in correlations:
        columns = {"benchmark": pa.array([one.benchmark] * len(one.domains), pa.string())}
        for name, values in one.table().items():
            kind = pa.string() if name == "domain" else pa.int64() if name == "models_of" else pa.float64()
            columns[name] = pa.array(values, kind, from_pandas=True)
        tables.append(pa.table(columns))
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        pq.write_table(pa.concat_tables(tables), file, compression="zstd", write_page_checksum=True)


def correlate(
    matrix: Any,
    errors: Any,
    options: Options | None = None,
    *,
    replicates: int = 1000,
    permutations: int = 1000,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> tuple[Correlation, ...]:
    """Estimate all domains for each benchmark, and say how certain that is.

    Args:
        matrix, errors, families: as :func:`pyfastlm.selection.select` takes them.
        options: estimator, ties, rules for missing numbers and duplicates; a budget does not matter.
        replicates: of the bootstrap over families; 0 for no intervals.
        permutations: of the test over families; 0 for none.
        level: of the intervals.
        seed: of both.
        progress: show the benchmarks on standard error.

    Raises:
        InputError: an argument is wrong.
    """
    check_whole(0, replicates=replicates, permutations=permutations, seed=seed)
    check_level(level)
    asked = replace(options or Options(), keep=1.0, budget=None, repeats=1.0, projection="linear")
    parts = prepare(matrix, errors, "each", asked, families=families)
    found: dict[str, Correlation] = {}
    pairs = [(part, group) for part in parts for group in part.groups]
    partials = {id(part): _partial(part) for part in parts}
    intervals = {id(part): _intervals(part, replicates, level, seed) for part in parts}
    for part, group in watched(pairs, len(pairs), "benchmarks", progress):
        estimate, low, high = (of_all[group.columns[0]] for of_all in intervals[id(part)])
        significance, remark = None, ""
        if permutations:
            try:
                significance = significance_of(part, group, permutations, seed)
            except NotExchangeable as error:
                remark = str(error)
        found[group.name] = Correlation(
            group.name, part.table.models, tuple(map(str, part.table.families)), part.table.left_out,
            part.table.matrix.domains, part.models_of[group.columns[0]], estimate, low, high,
            partials[id(part)][group.columns[0]], significance, remark, level,
        )  # fmt: skip
    return tuple(found[name] for name in parts[0].table.benchmarks)


def _partial(part: Part) -> Doubles:
    """[K, D], the partial correlations; NaN where a model lacks the domain."""
    own = replace(part, options=replace(part.options, estimator=PARTIAL))
    return next(own.estimates([np.arange(len(part.table.models), dtype=np.intp)])).copy()


def _intervals(part: Part, replicates: int, level: float, seed: int) -> tuple[Doubles, Doubles, Doubles]:
    """Estimates, low and high ends, each [K, D]."""
    models = len(part.table.models)
    drawn = draws(models, part.table.families, replicates, seed) if replicates else []
    stream = part.estimates([np.arange(models, dtype=np.intp), *drawn])
    whole = next(stream).copy()
    with ExitStack() as stack:
        samples = [
            stack.enter_context(Samples(replicates, whole.shape[1], MEMORY // len(whole))) for _ in whole
        ]
        for row, estimates in enumerate(stream):
            for one, values in zip(samples, estimates, strict=True):
                one.put(row, values)
        ends = [one.percentiles(level) for one in samples]
    return whole, np.stack([low for low, _, _ in ends]), np.stack([high for _, high, _ in ends])
