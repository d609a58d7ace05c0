"""How often each term was searched: counted out of core by DuckDB, from files larger than memory."""

import os
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import Source, StrPath, resolve
from pyfastlm.qac.count_files import CountFiles

READ = {
    "parquet": "read_parquet({files}, union_by_name = true)",
    "jsonl": "read_json({files}, format = 'newline_delimited', columns = "
    "{{final_search_term: 'VARCHAR', search_time: 'VARCHAR'}})",
}
MEMORY = 2 << 30  # bytes, before DuckDB spills to disk


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted: ``terms`` different ones in ``rows`` rows, into the Parquet file ``path``."""

    path: Path
    rows: int
    terms: int
    seconds: float


def count_terms(
    files: StrPath | Sequence[StrPath],
    out: StrPath,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    memory: int = MEMORY,
    threads: int | None = None,
) -> Counts:
    """Count the rows of each ``final_search_term`` into a Parquet file (term, count), sorted by the bytes.

    It counts rows, because ``popularity`` in the files counts days to come as well.

    Args:
        files: rows of AmazonQAC, ``.parquet`` or ``.jsonl`` (also ``.gz``, ``.zst``); globs too.
        out: the Parquet file; appears whole or not at all.
        since, until: count rows with ``since <= search_time < until`` only (UTC, naive).
        memory: bytes that may be used before counts go to files beside ``out``.
        threads: of DuckDB; by default all.

    Raises:
        InputError: a file is missing, damaged or without such a column; a row has no term or no time.
        MissingExtra: DuckDB is not installed.
        OSError: the disk is full.
    """
    sources = resolve(files)
    target = Path(out)
    if target.is_dir():
        raise InputError(f"out: {str(target)!r} is a directory")
    if not target.parent.is_dir():
        raise InputError(f"out: no such directory: {str(target.parent)!r}")
    duckdb = require("duckdb", "qac")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as spill:
        options: dict[str, Any] = {"memory_limit": f"{memory >> 20}MiB", "temp_directory": spill}
        options |= {} if threads is None else {"threads": threads}
        with duckdb.connect(config=options) as database:
            try:
                rows, terms = _count(database, sources, (since, until), target, Path(spill) / "counts")
            except duckdb.Error as error:
                if isinstance(error, duckdb.IOException) and spill in str(error):
                    raise OSError(f"cannot write {str(target)!r}: {_reason(error)}") from error
                raise InputError(f"files: {str(error).strip().partition(chr(10))[0]}") from error
    return Counts(target, rows, terms, time.perf_counter() - started)


def _reason(error: Exception) -> str:
    """What the system said, out of what DuckDB makes of it."""
    parts: list[str] = re.findall(r'[:"] ?([A-Z][^":{}]+)', str(error))
    return parts[-1].strip() if parts else str(error)


def _count(
    database: Any,
    sources: Sequence[Source],
    window: tuple[datetime | None, datetime | None],
    target: Path,
    temporary: Path,
) -> tuple[int, int]:
    asked = " UNION ALL ".join(
        f"SELECT final_search_term AS term, search_time AS time FROM {read}"
        for form, names in _by_format(sources).items()
        for read in [READ[form].format(files=_literals(names))]
    )
    since, until = window
    # A failing cast stops the count too: a row without a time belongs to no side of a split.
    time = "CAST(time AS TIMESTAMP)" if window != (None, None) else "true"
    inside = [f"time >= TIMESTAMP '{since}'"] * (since is not None)
    inside += [f"time < TIMESTAMP '{until}'"] * (until is not None)
    kept = (
        "CASE WHEN term IS NULL THEN error('a row has no final_search_term') "
        "WHEN time IS NULL THEN error('a row has no search_time') "
        f"ELSE {' AND '.join(inside) or 'true'} END"
    )
    counted = (
        f"SELECT term, count(*) AS count FROM (SELECT term, {time} AS time FROM ({asked})) WHERE {kept} "
        "GROUP BY term ORDER BY term"
    )
    with replacing(target, temporary):
        written = _literal(str(temporary))
        database.execute(f"COPY ({counted}) TO {written} (FORMAT parquet, USE_TMP_FILE false)")
        rows, terms = database.execute(f"SELECT sum(count), count(*) FROM read_parquet({written})").fetchone()
        if not terms:
            raise InputError("files: no row" + " between since and until" * bool(inside))
    return int(rows), int(terms)


def read_counts(path: StrPath) -> Iterable[tuple[str, float]]:
    """The pairs (term, count) of what :func:`count_terms` wrote, in its order; read as they are asked for.

    Raises:
        InputError: it is no such file; at once, or while it is read.
    """
    return CountFiles([os.fspath(path)])


def _by_format(sources: Sequence[Source]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source in sources:
        if source.format not in READ or source.path == "-":
            raise InputError(f"files: expected .parquet or .jsonl files, got {source.name!r}")
        found.setdefault(source.format, []).append(source.path)
    return found


def _literals(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(_literal, texts)) + "]"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
