"""Small tables from files, row by row: CSV, JSON lines and Parquet."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files.lines import json_object

MOST_BYTES = 256 << 20
MOST_CELLS = 50_000_000

# The number of a row (a line; or a row of Parquet), from 1, and its cells by the place of their column.
Row = tuple[int, dict[str, Any]]


def read_rows(path: Path, shown: str) -> tuple[list[str], list[Row]]:
    """Heads and rows of the file ``path``, called ``shown`` in errors.

    Raises:
        InputError: it cannot be read, is too large, or is none of these.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"path: {shown!r} has more than {MOST_BYTES >> 20} MiB")
        suffix = path.suffix.lower()
        if suffix == ".csv":
            heads, rows = _csv(path, shown)
        elif suffix == ".parquet":
            heads, rows = _parquet(path, shown)
        elif suffix in (".jsonl", ".ndjson"):
            heads, rows = _jsonl(path, shown)
        else:
            raise InputError(f"path: expected a name ending in .csv, .parquet or .jsonl, got {shown!r}")
    except OSError as error:
        raise InputError(f"path: cannot read {shown!r}: {error.strerror or error}") from None
    return heads, rows


def _csv(path: Path, shown: str) -> tuple[list[str], list[Row]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        try:
            heads = next(lines, [])
            rows = []
            for cells in lines:
                if len(cells) != len(heads):
                    raise InputError(
                        f"path: {shown!r}, line {lines.line_num}: {len(cells)} cells under {len(heads)} heads"
                    )
                rows.append((lines.line_num, {str(place): cell for place, cell in enumerate(cells)}))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"path: {shown!r}, line {lines.line_num}: {error}") from None
    return heads, rows


def _parquet(path: Path, shown: str) -> tuple[list[str], list[Row]]:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        heads = list(table.schema.names)
        rows = table.rename_columns([str(place) for place in range(len(heads))]).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"path: cannot read {shown!r}: {str(error).splitlines()[0]}") from None
    return heads, list(enumerate(rows, 1))


def _jsonl(path: Path, shown: str) -> tuple[list[str], list[Row]]:
    heads: dict[str, int] = {}
    found = list(_objects(path, shown))
    for _, row in found:
        for name in row:
            heads.setdefault(name, len(heads))
    check_size(len(found), len(heads), shown)
    return list(heads), [(number, {str(p): row.get(n) for n, p in heads.items()}) for number, row in found]


def _objects(path: Path, shown: str) -> Iterator[Row]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json_object(line)
                except ValueError as error:
                    raise InputError(f"path: {shown!r}, line {number}: {error}") from None


def check_size(rows: int, columns: int, shown: str) -> None:
    """Refuse a table whose cells would fill the memory."""
    if rows * columns > MOST_CELLS:
        raise InputError(f"path: {shown!r} would be a table of {rows:,} x {columns:,}, which is too large")
