"""Matrices of bits per byte as the reference package keeps them: CSV, a column for each model."""

import csv
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.selection.matrix import BpbMatrix
from pyfastlm.selection.tables.error_tables import read_errors, write_errors
from pyfastlm.selection.tables.model_headers import Duplicates, head_of, model_of, once

__all__ = ["read_bpb_csv", "read_errors", "write_bpb_csv", "write_errors"]

KEYS = ("domain", "id", "chunk")
MOST_HEAD_BYTES = 16 << 20
NULLS = ["", "nan", "NaN", "NAN", "null", "NULL", "None", "NA", "N/A", "<NA>"]


def read_bpb_csv(path: "str | os.PathLike[str]", *, duplicates: Duplicates = "raise") -> BpbMatrix:
    """A matrix that the scripts of ``perplexity-correlations`` wrote.

    Its rows are named by the columns ``domain``, ``id`` and ``chunk`` that there are: by the value if it is
    one, else by a JSON list of the values. All others are models, with heads like ``('family', 'org/name')``;
    a head that is no tuple is both family and name. An empty cell is NaN. How much text the rows have is not
    in such files: ``tokens``, ``bytes`` and ``documents`` are 0.

    Args:
        path: the CSV file.
        duplicates: what to do with a model that comes twice with the same numbers, as in the published
            tables under two families: ``"raise"``, or ``"drop"`` to take the first.

    Raises:
        InputError: the file cannot be read, a head or a number is none, a number is infinite, a row comes
            twice, or a model does (with other numbers always).
        MissingExtra: pyarrow is not installed.
    """
    pa, arrow_csv = require("pyarrow", "selection"), require("pyarrow.csv", "selection")
    shown = os.fspath(path)
    try:
        with open(path, "rb") as file:
            heads = _heads(file, shown)
            keys = [place for place, head in enumerate(heads) if head in KEYS]
            if not keys or len({heads[place] for place in keys}) < len(keys):
                raise InputError(f"path: {shown!r} needs columns among {', '.join(KEYS)}, each once")
            models = [place for place in range(len(heads)) if place not in keys]
            kinds = {str(p): pa.string() if p in keys else pa.float64() for p in range(len(heads))}
            table = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(column_names=list(kinds), use_threads=False),
                arrow_csv.ParseOptions(newlines_in_values=True),
                arrow_csv.ConvertOptions(column_types=kinds, null_values=NULLS, strings_can_be_null=False),
            )
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"path: cannot read {shown!r}: {str(error).splitlines()[0]}") from None
    values = np.empty((len(models), len(table)))
    for row, place in enumerate(models):
        values[row] = table[str(place)].to_numpy()
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(
            f"path: {shown!r} has an infinite number in row {column + 1} of {heads[models[row]]!r}"
        )
    named = [model_of(heads[place], shown) for place in models]
    kept = once(
        [name for _, name in named],
        duplicates,
        lambda a, b: np.array_equal(values[a], values[b], True),
        shown,
    )
    nothing = np.zeros(len(table), np.int64)
    return BpbMatrix(
        tuple(named[row][1] for row in kept),
        tuple(named[row][0] for row in kept),
        _rows(table, [str(place) for place in sorted(keys, key=lambda place: KEYS.index(heads[place]))]),
        nothing,
        nothing,
        nothing,
        values if len(kept) == len(named) else values[kept],
    )


def write_bpb_csv(matrix: BpbMatrix, path: "str | os.PathLike[str]") -> None:
    """Write ``matrix`` as the scripts of ``perplexity-correlations`` read it, with the key ``domain``.

    Numbers are written so that they are read as the same; NaN is an empty cell. A matrix in a file is
    streamed.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        heads = map(head_of, matrix.families, matrix.models)
        file.write(_line(["domain", *heads]))
        domains = iter(matrix.domains)
        for block in matrix.blocks():
            for numbers, domain in zip(block.T.tolist(), domains, strict=False):
                file.write(_line([domain, *("" if number != number else repr(number) for number in numbers)]))


def _heads(file: BinaryIO, shown: str) -> list[str]:
    """The head line; the file is left behind it."""
    line = file.readline(MOST_HEAD_BYTES)
    try:
        found = list(csv.reader([line.decode("utf-8-sig")], strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"path: {shown!r} has no head line: {error}") from None
    if not found or not line.endswith(b"\n"):
        raise InputError(f"path: {shown!r} has no head line of at most {MOST_HEAD_BYTES >> 20} MiB, and rows")
    return found[0]


def _rows(table: Any, columns: list[str]) -> tuple[str, ...]:
    if len(columns) == 1:
        return tuple(table[columns[0]].to_pylist())
    parts = zip(*(table[column].to_pylist() for column in columns), strict=True)
    return tuple(json.dumps(values, ensure_ascii=False) for values in parts)


def _line(cells: list[str]) -> bytes:
    quoted = (f'"{c.replace(chr(34), chr(34) * 2)}"' if any(m in c for m in ',"\r\n') else c for c in cells)
    return ",".join(quoted).encode() + b"\n"
