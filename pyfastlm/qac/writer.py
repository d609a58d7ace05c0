"""Rows written as AmazonQAC publishes them."""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.qac.rows import Row

BATCH_ROWS = 1 << 14


def write_amazonqac(rows: Iterable[Row], path: StrPath) -> int:
    """Write rows to a Parquet file with the columns of the split that the first row is of.

    A row with a popularity is of the train split. The file appears whole or not at all.

    Returns:
        How many rows.
    """
    pa, pq = require("pyarrow", "qac"), require("pyarrow.parquet", "qac")
    stream = iter(rows)
    first = next(stream, None)
    test = first is not None and first.popularity is None
    schema = _test_schema(pa) if test else _train_schema(pa)
    fields = _test_fields if test else _train_fields
    target = Path(path)
    written = 0
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    with replacing(target, temporary) as file, pq.ParquetWriter(file, schema, compression="snappy") as writer:
        batch = [] if first is None else [fields(first)]
        for row in stream:
            batch.append(fields(row))
            if len(batch) == BATCH_ROWS:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                written += len(batch)
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema))
    return written + len(batch)


def _train_schema(pa: Any) -> Any:
    text = pa.string()
    return pa.schema(
        [
            ("query_id", pa.int64()),
            ("session_id", text),
            ("prefixes", pa.list_(text)),
            ("first_prefix_typed_time", text),
            ("final_search_term", text),
            ("search_time", text),
            ("popularity", pa.int64()),
        ]
    )


def _test_schema(pa: Any) -> Any:
    text = pa.string()
    return pa.schema(
        [
            ("query_id", pa.int64()),
            ("session_id", text),
            ("past_search_terms", pa.list_(pa.list_(text))),
            ("prefix", text),
            ("prefix_typed_time", text),
            ("final_search_term", text),
            ("search_time", text),
        ]
    )


def _train_fields(row: Row) -> dict[str, Any]:
    return {
        "query_id": int(row.query_id),
        "session_id": row.session_id,
        "prefixes": list(row.prefixes),
        "first_prefix_typed_time": _plain(row.typed),
        "final_search_term": row.term,
        "search_time": _plain(row.time),
        "popularity": row.popularity,
    }


def _test_fields(row: Row) -> dict[str, Any]:
    return {
        "query_id": int(row.query_id),
        "session_id": row.session_id,
        "past_search_terms": [[search.term, _zulu(search.time)] for search in row.past],
        "prefix": row.prefixes[0],
        "prefix_typed_time": _zulu(row.typed),
        "final_search_term": row.term,
        "search_time": _zulu(row.time),
    }


# The data set has times in both of these forms.
def _plain(time: datetime) -> str:
    return time.isoformat(" ", "milliseconds")


def _zulu(time: datetime) -> str:
    return time.isoformat("T", "milliseconds") + "Z"
