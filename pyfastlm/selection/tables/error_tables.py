"""Errors of models on benchmarks from files, in the forms in which people keep them."""

import csv
import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.selection.benchmark_errors import BenchmarkErrors
from pyfastlm.selection.tables.model_headers import Duplicates, head_of, model_of, once
from pyfastlm.selection.tables.table_rows import Row, check_size, read_rows

MISSING = ("", "nan", "null", "none", "na", "n/a", "<na>")
VALUES = ("error", "value")  # names of the column of numbers in the long form


def read_errors(path: "str | os.PathLike[str]", *, duplicates: Duplicates = "raise") -> BenchmarkErrors:
    """Errors of models on benchmarks: the greater, the worse (1 - accuracy, or a perplexity).

    A ``.csv``, ``.parquet``, ``.jsonl`` or ``.ndjson`` file, in one of three forms that its columns tell:

    - ``benchmark`` and a column for each model, with heads like ``('family', 'org/name')``: that of the
      reference package. A head that is no tuple is both family and name.
    - ``model``, maybe ``family``, and a column for each benchmark.
    - ``model``, ``benchmark``, ``error``, maybe ``family``: a number a row.

    An empty cell, NaN or null is missing, as is a pair that has no row. Without ``family`` each model is its
    own.

    Args:
        path: the file, up to 256 MiB.
        duplicates: what to do with a model that comes twice with the same numbers: ``"raise"``, or
            ``"drop"`` to take the first. One with other numbers is an error always.

    Raises:
        InputError: the file cannot be read or has none of the forms, or a cell (named) is no finite number.
        MissingExtra: pyarrow is not installed, for ``.parquet``.
    """
    shown = os.fspath(path)
    heads, rows = read_rows(Path(path), shown)
    for name in ("benchmark", "model", "family", *VALUES):
        if heads.count(name) > 1:
            raise InputError(f"path: {shown!r} has the column {name!r} twice")
    if "benchmark" in heads and "model" in heads:
        return _long(heads, rows, shown)
    if "model" in heads:
        return _by_model(heads, rows, shown, duplicates)
    if "benchmark" in heads:
        return _by_benchmark(heads, rows, shown, duplicates)
    raise InputError(
        f"path: {shown!r} has no column 'benchmark' or 'model'; its columns are: {', '.join(heads[:20])}"
    )


def write_errors(errors: BenchmarkErrors, path: "str | os.PathLike[str]") -> None:
    """Write ``errors`` in the form of the reference package, a CSV file; NaN is an empty cell.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["benchmark", *map(head_of, errors.families, errors.models)])
    for name, numbers in zip(errors.benchmarks, errors.values.T.tolist(), strict=True):
        table.writerow([name, *("" if math.isnan(number) else repr(number) for number in numbers)])
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(text.getvalue().encode())


def _by_benchmark(heads: list[str], rows: list[Row], shown: str, duplicates: Duplicates) -> BenchmarkErrors:
    columns = [place for place, head in enumerate(heads) if head != "benchmark"]
    named = [model_of(heads[place], shown) for place in columns]
    key = heads.index("benchmark")
    benchmarks = [_name(row[str(key)], "benchmark", number, shown) for number, row in rows]
    values = np.array(
        [[_number(row[str(p)], heads[p], number, shown) for number, row in rows] for p in columns]
    ).reshape(len(columns), len(rows))
    return _table([n for _, n in named], [f for f, _ in named], benchmarks, values, duplicates, shown)


def _by_model(heads: list[str], rows: list[Row], shown: str, duplicates: Duplicates) -> BenchmarkErrors:
    columns = [place for place, head in enumerate(heads) if head not in ("model", "family")]
    model = str(heads.index("model"))
    family = str(heads.index("family")) if "family" in heads else model
    names = [_name(row[model], "model", number, shown) for number, row in rows]
    families = [_name(row[family], heads[int(family)], number, shown) for number, row in rows]
    values = np.array(
        [[_number(row[str(p)], heads[p], number, shown) for p in columns] for number, row in rows]
    ).reshape(len(rows), len(columns))
    return _table(names, families, [heads[place] for place in columns], values, duplicates, shown)


def _long(heads: list[str], rows: list[Row], shown: str) -> BenchmarkErrors:
    found = [name for name in VALUES if name in heads]
    if len(found) != 1:
        raise InputError(f"path: {shown!r} needs a column 'error' (or 'value') beside model and benchmark")
    place = {name: str(heads.index(name)) for name in ("model", "benchmark", *found)}
    models: dict[str, str] = {}
    benchmarks: dict[str, int] = {}
    numbers: dict[tuple[str, str], float] = {}
    for number, row in rows:
        model, benchmark = (_name(row[place[key]], key, number, shown) for key in ("model", "benchmark"))
        family = (
            _name(row[str(heads.index("family"))], "family", number, shown) if "family" in heads else model
        )
        if models.setdefault(model, family) != family:
            raise InputError(
                f"path: {shown!r}, row {number}: {model!r} was of the family {models[model]!r} before"
            )
        if (model, benchmark) in numbers:
            raise InputError(f"path: {shown!r}, row {number}: {model!r} on {benchmark!r} was there before")
        benchmarks.setdefault(benchmark, len(benchmarks))
        numbers[model, benchmark] = _number(row[place[found[0]]], found[0], number, shown)
    check_size(len(models), len(benchmarks), shown)
    values = np.array([[numbers.get((m, b), math.nan) for b in benchmarks] for m in models])
    return _table(list(models), list(models.values()), list(benchmarks), values, "raise", shown)


def _table(
    names: list[str],
    families: list[str],
    benchmarks: list[str],
    values: NDArray[np.float64],
    duplicates: Duplicates,
    shown: str,
) -> BenchmarkErrors:
    if not names or not benchmarks:
        raise InputError(f"path: {shown!r} has {len(names)} models and {len(benchmarks)} benchmarks")
    kept = once(names, duplicates, lambda a, b: np.array_equal(values[a], values[b], True), shown)
    return BenchmarkErrors(
        tuple(names[row] for row in kept),
        tuple(families[row] for row in kept),
        tuple(benchmarks),
        values[kept],
    )


def _name(value: Any, what: str, number: int, shown: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"path: {shown!r}, row {number}: expected a name as {what}, got {value!r}")
    return value


def _number(value: Any, what: str, number: int, shown: str) -> float:
    if value is None or (isinstance(value, str) and value.strip().lower() in MISSING):
        return math.nan
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or "_" in str(value):
            raise ValueError
        found = float(value)
        if math.isinf(found):
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(
            f"path: {shown!r}, row {number}: expected a finite number as {what[:80]!r}, "
            f"got {str(value)[:40]!r}"
        ) from None
    return found
