"""AmazonQAC from local files, as its authors publish it: Parquet, or JSON lines."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import Source, StrPath, resolve
from pyfastlm.qac.rows import Row, Search, parse_time

TRAIN = ("query_id", "session_id", "prefixes", "first_prefix_typed_time", "final_search_term", "search_time",
         "popularity")  # fmt: skip
TEST = ("query_id", "session_id", "past_search_terms", "prefix", "prefix_typed_time", "final_search_term",
        "search_time")  # fmt: skip
BATCH_ROWS = 1024


def read_amazonqac(path: StrPath | Sequence[StrPath]) -> Iterator[Row]:
    """The rows of the train or the test split, in the order of the files, read as they are asked for.

    Args:
        path: files or globs, ``.parquet`` or ``.jsonl`` (also ``.gz``, ``.zst``). Which split a file is of is
            seen by its columns: ``prefixes`` or ``prefix``.

    Raises:
        InputError: a file is missing, damaged or of another kind, or a row is wrong; names file and row.
    """
    sources = resolve(path)
    for source in sources:
        if source.format == "text":
            raise InputError(f"path: expected .parquet or .jsonl files, got {source.name!r}")
    return _rows(sources)


def _rows(sources: Sequence[Source]) -> Iterator[Row]:
    for source in sources:
        number = 0
        parquet = source.format == "parquet"
        for number, fields in _parquet(source) if parquet else lines.json_objects(source, "row"):
            try:
                yield _row(fields)
            except ValueError as error:
                raise InputError(f"path: {source.name!r}, row {number:,}: {error}") from None
        if not number:
            raise InputError(f"path: {source.name!r} has no row")


def _parquet(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    pa, pq = require("pyarrow", "qac"), require("pyarrow.parquet", "qac")
    number = 0
    try:
        with pq.ParquetFile(source.path, page_checksum_verification=True) as file:
            names = set(file.schema_arrow.names)
            wanted = TEST if "prefix" in names else TRAIN
            if missing := [name for name in wanted if name not in names and name != "popularity"]:
                raise InputError(
                    f"path: {source.name!r} has no column {missing[0]!r}; it has: {_some(names)}"
                )
            columns = [name for name in wanted if name in names]
            for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield number, fields
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        lines.damaged(source, f"row {number:,}", 0, error)


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:20])


def _row(fields: dict[str, Any]) -> Row:
    test = "prefix" in fields
    if test:
        prefixes: tuple[str, ...] = (_string(fields, "prefix"),)
    else:
        prefixes = tuple(_strings(fields, "prefixes"))
    popularity = None if test else fields.get("popularity")
    if popularity is not None and (isinstance(popularity, bool) or not isinstance(popularity, int)):
        raise ValueError(f"popularity: expected a whole number, got {popularity!r}")
    return Row(
        query_id=_name(fields, "query_id"),
        session_id=_name(fields, "session_id"),
        past=_past(fields.get("past_search_terms")) if test else (),
        prefixes=prefixes,
        typed=_time(fields, "prefix_typed_time" if test else "first_prefix_typed_time"),
        term=_string(fields, "final_search_term"),
        time=_time(fields, "search_time"),
        popularity=popularity,
    )


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a string, got {_shown(value)}")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name}: lone surrogate at character {error.start}") from None
    return value


def _strings(fields: dict[str, Any], name: str) -> list[str]:
    values = fields.get(name)
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name}: expected a list of at least one string, got {_shown(values)}")
    return [_string({name: value}, name) for value in values]


def _name(fields: dict[str, Any], name: str) -> str:
    """An identifier: a string, or, as the data set's own page has it, a number."""
    value = fields.get(name)
    return str(value) if type(value) is int else _string(fields, name)


def _time(fields: dict[str, Any], name: str) -> datetime:
    value = fields.get(name)
    if isinstance(value, datetime):  # a column of timestamps
        value = value.isoformat()
    try:
        return parse_time(_string({name: value}, name))
    except ValueError:
        raise ValueError(f"{name}: expected a time, got {_shown(value)}") from None


def _past(value: Any) -> tuple[Search, ...]:
    """Pairs of a term and its time; also as JSON in a string, as tables without lists hold them."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(f"past_search_terms: expected a list, got {_shown(value)}") from None
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError(f"past_search_terms: expected a list, got {_shown(value)}")
    found = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"past_search_terms: expected [term, time], got {_shown(pair)}")
        fields = {"past_search_terms": pair[0], "time in past_search_terms": pair[1]}
        found.append(Search(_string(fields, "past_search_terms"), _time(fields, "time in past_search_terms")))
    return tuple(found)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:60]
