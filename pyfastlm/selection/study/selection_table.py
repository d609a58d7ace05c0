"""What was selected: each domain with its estimate, how certain that is, its weight and its tokens."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.joining import LeftOut
from pyfastlm.selection.study.names import interval, number, shown

METADATA_KEY = b"pyfastlm.selection"
FORMAT = 1
COLUMNS = ("domain", "estimate", "95 %", "frequency", "weight", "tokens")
LABELS = ("exclude", "include")
# Column of the file -> type; the attributes of Selection have these names.
REALS = ("tokens", "estimate", "low", "high", "frequency", "weights")
WHOLE = ("models_of", "allotted")
# Of the basis.
TEXTS = ("estimator", "projection", "ties", "missing")
COUNTS = ("budget", "seed", "replicates")
NUMBERS = ("repeats", "level", "stability", "agreement")


@dataclass(frozen=True, slots=True)
class Basis:
    """What a selection rests on.

    Attributes:
        estimator, projection, ties, missing, repeats, level, seed: as they were asked for.
        benchmarks: whose errors it is for; of several the ranks of the estimates are averaged.
        models, families: that were used.
        left_out: models that were not, with the reason.
        budget: tokens that were given out.
        replicates: of the bootstrap that gave a selection; 0 without one.
        stability: mean share of the budget that a replicate's selection has in common with this one; NaN
            without replicates.
        agreement: the same between two replicates.
    """

    estimator: str
    projection: str
    benchmarks: tuple[str, ...]
    models: tuple[str, ...]
    families: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    ties: str
    missing: str
    budget: int
    repeats: float
    level: float
    seed: int
    replicates: int
    stability: float
    agreement: float


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """D domains, selected within a budget.

    Attributes:
        name: of the group of benchmarks.
        domains: D names.
        tokens: [D] float64, how much text there is of each.
        models_of: [D] int64, of how many models its estimate is; of several benchmarks the fewest.
        estimate: [D] float64, the estimator's number; of several benchmarks the mean of ranks, -1 to 1 (for
            l2 the mean of weights). NaN where a rule for missing numbers, or ties, left none.
        low, high: [D] float64, its percentile interval from draws of families; NaN without replicates.
        frequency: [D] float64, in what share of the replicates the domain was selected; NaN without.
        weights: [D] float64, of the budget, with a sum of 1.
        allotted: [D] int64, tokens, which sum to the budget.
        included: [D] bool, whether the weight is above 0: the label for a page filter.
        basis: what all this rests on.
    """

    name: str
    domains: tuple[str, ...]
    tokens: Doubles
    models_of: NDArray[np.int64]
    estimate: Doubles
    low: Doubles
    high: Doubles
    frequency: Doubles
    weights: Doubles
    allotted: NDArray[np.int64]
    basis: Basis

    def __post_init__(self) -> None:
        for name in (*REALS, *WHOLE):
            if getattr(self, name).shape != (len(self.domains),):
                raise InputError(f"{name}: expected {len(self.domains)} numbers, one for each domain")

    @property
    def included(self) -> NDArray[np.bool_]:
        """[D], whether the weight is above 0."""
        return self.weights > 0

    def order(self) -> NDArray[np.intp]:
        """[D], the domains by falling estimate; of equals the first comes first, NaN last."""
        return np.argsort(-self.estimate, kind="stable")

    def chance(self) -> float:
        """Share of the budget that two random selections have in common: that of all text which it is."""
        return float(self.basis.budget / (self.tokens.sum() * self.basis.repeats))

    def title(self) -> str:
        """Of a table, in one line."""
        return (
            f"{shown(self.name)}: {self.included.sum():,} of {len(self.domains):,} domains, "
            f"{self.basis.budget:,} of {self.tokens.sum():,.0f} tokens"
        )

    def columns(self) -> list[str]:
        """Heads of :meth:`cells`."""
        return [column.replace("95", f"{100 * self.basis.level:g}") for column in COLUMNS]

    def cells(self, most: int | None = None) -> list[list[str]]:
        """A row of a table for each domain, the greatest estimates first; at most so many."""
        return [
            [
                shown(self.domains[row]),
                number(self.estimate[row], "+.3f"),
                interval(self.low[row], self.high[row], "+.2f"),
                number(self.frequency[row], ".0%"),
                number(self.weights[row], ".4f"),
                f"{self.allotted[row]:,}",
            ]
            for row in self.order()[:most].tolist()
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON: the basis, and a list of domains in the order of the matrix."""
        names = (*WHOLE, *REALS)
        columns = [getattr(self, name).tolist() for name in names]
        rows = [
            {"domain": domain, **dict(zip(names, values, strict=True))}
            for domain, *values in zip(self.domains, *columns, strict=True)
        ]
        return {"name": self.name, "basis": asdict(self.basis), "domains": rows}

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write a Parquet file: a row for each domain in the order of the matrix; null is NaN.

        Raises:
            OSError: it cannot be written.
        """
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        columns: dict[str, Any] = {"domain": pa.array(self.domains, pa.string())}
        columns |= {name: pa.array(getattr(self, name), pa.int64()) for name in WHOLE}
        columns |= {name: pa.array(getattr(self, name), pa.float64(), from_pandas=True) for name in REALS}
        columns["label"] = pa.array([LABELS[label] for label in self.included.tolist()], pa.string())
        basis = asdict(self.basis)
        basis |= {name: None for name in NUMBERS if np.isnan(basis[name])}
        noted = {"format": FORMAT, "name": self.name, "basis": basis}
        table = pa.table(columns).replace_schema_metadata(
            {METADATA_KEY: json.dumps(noted, allow_nan=False).encode()}
        )
        target = Path(path)
        with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    @classmethod
    def open(cls, path: "str | os.PathLike[str]") -> "Selection":
        """A selection that :meth:`save` wrote.

        Raises:
            InputError: the file cannot be read, or is no such selection.
        """
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        source = os.fspath(path)
        try:
            table = pq.read_table(path, columns=["domain", *WHOLE, *REALS], page_checksum_verification=True)
            noted = json.loads((table.schema.metadata or {})[METADATA_KEY])
            if noted["format"] != FORMAT:
                raise InputError(
                    f"path: {source!r} has format {noted['format']}, this version reads {FORMAT}"
                )
            if any(table[name].null_count for name in ("domain", *WHOLE)):
                raise InputError(f"path: {source!r} lacks a domain, or its tokens")
            whole = {name: table[name].to_numpy().astype(np.int64) for name in WHOLE}
            reals = {name: table[name].to_numpy().astype(np.float64) for name in REALS}
            return cls(
                name=str(noted["name"]),
                domains=tuple(map(str, table["domain"].to_pylist())),
                basis=_basis(noted["basis"]),
                **whole,
                **reals,
            )
        except KeyError:
            raise InputError(f"path: {source!r} is no selection") from None
        except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"path: cannot read {source!r}: {error}") from None


def _basis(noted: dict[str, Any]) -> Basis:
    """From JSON; every value is of its type, or it is a TypeError."""
    for name, kind in {**dict.fromkeys(TEXTS, str), **dict.fromkeys(COUNTS, int)}.items():
        if not isinstance(noted[name], kind):
            raise TypeError(f"{name} is {noted[name]!r}")
    reals = {name: float("nan") if noted[name] is None else float(noted[name]) for name in NUMBERS}
    lists = {name: tuple(map(str, noted[name])) for name in ("benchmarks", "models", "families")}
    left_out = tuple(LeftOut(str(model), str(reason)) for model, reason in noted["left_out"])
    return Basis(**(noted | reals | lists | {"left_out": left_out}))
