"""Rows of lengths in files: Parquet or JSON lines, complete or not there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm._require import expect, require
from pyfastlm.errors import InputError
from pyfastlm.memorization.metric.lengths import LengthRow

SUFFIXES = (".parquet", ".jsonl")
NOTE = b"pyfastlm.memorize.measure"


def check_output(path: Path) -> None:
    """Raise :class:`InputError` or :class:`MissingExtra` unless rows can be written to ``path``."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"output: expected a name ending in {' or '.join(SUFFIXES)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise InputError(f"output: no such directory: {str(path.parent)!r}")
    if path.is_dir():
        raise InputError(f"output: {str(path)!r} is a directory")
    expect(["pyarrow"], "memorization")


def schema() -> Any:
    """A column for each field of :class:`LengthRow`."""
    pa = require("pyarrow", "memorization")
    kinds = {int: pa.int64(), bool: pa.bool_()}
    types = {name: kinds.get(kind, pa.string()) for name, kind in LengthRow.__annotations__.items()}
    types |= {"step": pa.int64(), "repetitions": pa.int64()}
    may_miss = ("transform", "checkpoint", "step", "repetitions")
    return pa.schema([pa.field(name, kind, nullable=name in may_miss) for name, kind in types.items()])


def save(rows: Sequence[LengthRow], path: Path, temporary: Path, note: dict[str, Any] | None = None) -> None:
    """Write ``rows`` to ``path``, by way of ``temporary``, as its suffix says; Parquet keeps ``note``."""
    with replacing(path, temporary) as file:
        if path.suffix == ".jsonl":
            for row in rows:
                file.write(json.dumps(row._asdict()).encode() + b"\n")
            return
        pa, pq = require("pyarrow", "memorization"), require("pyarrow.parquet", "memorization")
        columns = [*zip(*rows, strict=True)] or [()] * len(LengthRow._fields)
        table = pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, schema(), strict=True)], schema=schema()
        )
        if note is not None:
            table = table.replace_schema_metadata({NOTE: json.dumps(note).encode()})
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def noted(path: Path) -> dict[str, Any] | None:
    """The note of a Parquet file that :func:`save` wrote; None where there is no such file."""
    pa, pq = require("pyarrow", "memorization"), require("pyarrow.parquet", "memorization")
    try:
        data = (pq.read_schema(path).metadata or {}).get(NOTE)
        found = None if data is None else json.loads(data)
    except (pa.ArrowException, OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("description"), dict) and "digest" in found
    return found if whole else None


def load(path: Path) -> list[LengthRow] | None:
    """Rows of a Parquet file; None where it is absent, or damaged."""
    pa, pq = require("pyarrow", "memorization"), require("pyarrow.parquet", "memorization")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True, use_threads=False)
    except (pa.ArrowException, OSError):
        return None
    if not table.schema.equals(schema()):
        return None
    return [LengthRow(**row) for row in table.to_pylist()]
