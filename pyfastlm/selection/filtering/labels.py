"""Which domains are selected: from a mapping, a selection, or a table in a file."""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError

# The first of these that a table has decides; of a weight, whether it is above 0.
COLUMNS = ("included", "include", "label", "weight", "weights")
WORDS = {
    "true": True, "1": True, "include": True, "__label__include": True,
    "false": False, "0": False, "exclude": False, "__label__exclude": False,
}  # fmt: skip


def labels_of(labels: Any) -> dict[str, bool]:
    """Domain -> whether it is included.

    Args:
        labels: a mapping of names to truth values; something with ``domains`` and ``included`` (or
            ``weights``: included are those above 0), such as a selection; or a file: ``.json`` with an
            object, or ``.csv``, ``.jsonl`` or ``.parquet`` with a column ``domain`` and one of ``included``,
            ``include``, ``label``, ``weight``, ``weights``.

    Raises:
        InputError: it is none of these, names a domain twice, or has only one of the two labels.
    """
    if isinstance(labels, str | os.PathLike):
        pairs: Iterable[tuple[Any, Any]] = _read(Path(labels))
    elif isinstance(labels, Mapping):
        pairs = labels.items()
    elif hasattr(labels, "domains") and (hasattr(labels, "included") or hasattr(labels, "weights")):
        chosen = getattr(labels, "included", None)
        chosen = np.asarray(labels.weights) > 0 if chosen is None else chosen
        pairs = zip(labels.domains, chosen, strict=True)
    else:
        raise InputError(
            f"labels: expected a mapping, a selection or a file of domains, got {type(labels).__name__}"
        )
    found: dict[str, bool] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not name:
            raise InputError(f"labels: expected names of domains, got {name!r}")
        if name in found:
            raise InputError(f"labels: expected each domain once, got {name!r} twice")
        found[name] = _truth(name, value)
    if set(found.values()) != {True, False}:
        raise InputError("labels: expected domains of both kinds, included and excluded")
    return found


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.integer | np.floating) and np.isfinite(value) and value >= 0:
        return bool(value > 0)
    if isinstance(value, str) and value.strip().lower() in WORDS:
        return WORDS[value.strip().lower()]
    raise InputError(f"labels: {name!r}: expected true or false, or a weight of 0 or more, got {value!r}")


def _read(path: Path) -> list[tuple[Any, Any]]:
    shown = os.fspath(path)
    readers = {".json": _json, ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"labels: expected a name ending in {', '.join(readers)}, got {shown!r}")
    try:
        return readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"labels: cannot read {shown!r}: {error.strerror or error}") from None
    except (ValueError, KeyError, csv.Error, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"labels: cannot read {shown!r}: {error}") from None


def _json(path: Path) -> list[tuple[Any, Any]]:
    value = json.loads(path.read_bytes(), object_pairs_hook=lambda pairs: pairs)
    if not isinstance(value, list) or not all(isinstance(pair, tuple) for pair in value):
        raise InputError(f"labels: {os.fspath(path)!r}: expected an object of domains with true or false")
    return value


def _csv(path: Path) -> list[tuple[Any, Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        column = _column(path, rows.fieldnames or ())
        return [(row["domain"], _number(row[column])) for row in rows]


def _jsonl(path: Path) -> list[tuple[Any, Any]]:
    rows = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"labels: {os.fspath(path)!r}: expected JSON objects")
    column = _column(path, rows[0] if rows else ())
    return [(row["domain"], row[column]) for row in rows]


def _parquet(path: Path) -> list[tuple[Any, Any]]:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    try:
        with pq.ParquetFile(path) as file:
            column = _column(path, file.schema_arrow.names)
            table = file.read(columns=["domain", column])
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    return list(zip(table["domain"].to_pylist(), table[column].to_pylist(), strict=True))


def _column(path: Path, names: Iterable[str]) -> str:
    names = list(names)
    for column in COLUMNS:
        if column in names and "domain" in names:
            return column
    raise InputError(
        f"labels: {os.fspath(path)!r}: expected a column domain and one of {', '.join(COLUMNS)}, "
        f"got {', '.join(map(str, names[:20]))}"
    )


def _number(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text
