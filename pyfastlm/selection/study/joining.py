"""A matrix and errors as one table: the same models in the same order, brought together by name."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection import inputs
from pyfastlm.selection.benchmark_errors import BenchmarkErrors
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.matrix import BpbMatrix


class LeftOut(NamedTuple):
    """A model that does not count, and why."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N models with their bits per byte on D domains and their errors on K benchmarks.

    Attributes:
        matrix: of exactly these models, in this order.
        families: [N], of those given, else of the matrix.
        tokens: [D] float64, how much text of each domain there is to select from.
        benchmarks: K names.
        errors: [N, K] float64.
        left_out: models that only one side had, or that a rule removed.
    """

    matrix: BpbMatrix
    families: tuple[Any, ...]
    tokens: Doubles
    benchmarks: tuple[str, ...]
    errors: Doubles
    left_out: tuple[LeftOut, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """N names."""
        return self.matrix.models

    def only(self, rows: NDArray[np.intp], left_out: Sequence[LeftOut] = ()) -> "Table":
        """The models in these rows, which rise."""
        if len(rows) == len(self.models):
            return replace(self, left_out=(*self.left_out, *left_out))  # the matrix is not copied
        return replace(
            self,
            matrix=self.matrix.only([self.models[row] for row in rows]),
            families=tuple(self.families[row] for row in rows),
            errors=self.errors[rows],
            left_out=(*self.left_out, *left_out),
        )


def join(
    matrix: Any,
    errors: Any,
    *,
    tokens: Any = None,
    families: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Table:
    """The models that both have, in the order of the matrix; what only one has is in ``left_out``.

    Args:
        matrix: a :class:`BpbMatrix`, the file of one, or an array [N, D] in bits/byte.
        errors: beside names a :class:`BenchmarkErrors` or the file of one; beside an array an array [N] or
            [N, K] in the order of its rows.
        tokens: [D], 0 or more; default those of the matrix, and for an array 1 for each domain.
        families: a label for each model, by name or in the order of the matrix; default those of the matrix.

    Raises:
        InputError: the two have fewer than two models in common, or a shape is wrong.
    """
    names, named = _matrix_of(matrix)
    given = _errors_of(errors, names, named)
    theirs = set(given.models)
    common = [name for name in names.models if name in theirs]
    both = set(common)
    if len(common) < 2:
        some = ", ".join(repr(name) for name in (*names.models[:2], *given.models[:2]))
        raise InputError(
            f"errors: expected two models or more in common with the matrix, got {len(common)}; the names "
            f"must be the same: {some}"
        )
    left_out = [LeftOut(name, "has no errors") for name in names.models if name not in both]
    left_out += [LeftOut(name, "is not in the matrix") for name in given.models if name not in both]
    labels = _labels(names, families)
    return Table(
        names if len(common) == len(names.models) else names.only(common),
        tuple(labels[name] for name in common),
        _tokens_of(tokens, names),
        given.benchmarks,
        given.only(common).values,
        tuple(left_out),
    )


def _matrix_of(matrix: Any) -> tuple[BpbMatrix, bool]:
    """The matrix, and whether it has names: those of an array are the numbers of its rows and columns."""
    if isinstance(matrix, BpbMatrix):
        return matrix, True
    if isinstance(matrix, str | os.PathLike):
        return BpbMatrix.open(matrix), True
    x = inputs.as_numpy(matrix, "matrix")
    if x.ndim != 2 or not x.size:
        raise InputError(f"matrix: expected [N, D], models and domains, got shape {list(x.shape)}")
    rows, columns = (tuple(map(str, range(size))) for size in x.shape)
    ones = np.ones(len(columns), np.int64)
    return BpbMatrix(rows, rows, columns, ones, ones, ones, x), False


def _errors_of(errors: Any, matrix: BpbMatrix, named: bool) -> BenchmarkErrors:
    if isinstance(errors, str | os.PathLike):
        from pyfastlm.selection.tables.reference_tables import read_errors

        return read_errors(Path(errors))
    if isinstance(errors, BenchmarkErrors):
        return errors
    if named:
        raise InputError(
            "errors: expected BenchmarkErrors or a file: the matrix has names, and models are joined by them"
        )
    values = inputs.as_numpy(errors, "errors").astype(np.float64)
    if values.ndim not in (1, 2) or len(values) != len(matrix.models):
        raise InputError(
            f"errors: expected [{len(matrix.models)}] or [{len(matrix.models)}, K], a row for each of the "
            f"matrix, got shape {list(values.shape)}"
        )
    columns = values.reshape(len(values), -1)
    return BenchmarkErrors(matrix.models, matrix.families, tuple(map(str, range(columns.shape[1]))), columns)


def _labels(matrix: BpbMatrix, families: Mapping[str, Any] | Sequence[Any] | None) -> Mapping[str, Any]:
    if families is None:
        return dict(zip(matrix.models, matrix.families, strict=True))
    if isinstance(families, Mapping):
        if unknown := [name for name in matrix.models if name not in families]:
            raise InputError(f"families: expected a label for each model, got none for {unknown[0]!r}")
        return families
    if len(families) != len(matrix.models):
        raise InputError(
            f"families: expected a label for each of {len(matrix.models)} models, got {len(families)}"
        )
    return dict(zip(matrix.models, families, strict=True))


def _tokens_of(tokens: Any, matrix: BpbMatrix) -> Doubles:
    counts = (matrix.tokens if tokens is None else inputs.as_numpy(tokens, "tokens")).astype(np.float64)
    if counts.shape != (len(matrix.domains),):
        raise InputError(
            f"tokens: expected [{len(matrix.domains)}], one for each domain, got shape {list(counts.shape)}"
        )
    if len(wrong := np.flatnonzero(~((counts >= 0) & np.isfinite(counts)))):
        raise InputError(f"tokens: expected 0 or more, got {counts[wrong[0]]} for domain {wrong[0]}")
    return counts
