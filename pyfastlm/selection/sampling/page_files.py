"""Files of chunks: JSON lines or Parquet, by the suffix of the name; written whole or not at all."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError

GROUP_BYTES = 16 << 20  # of text in a row group
GROUP_ROWS = 1 << 14
SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst", ".parquet")


class Record(NamedTuple):
    """A chunk: its text, the page's id, its number in the page from 0, the domain, and tokens if counted."""

    text: str
    id: str
    chunk: int
    domain: str
    tokens: int | None


def check_suffix(path: Path) -> None:
    """Refuse a name whose format is not known."""
    if not path.name.lower().endswith(SUFFIXES):
        raise InputError(
            f"output: expected a name ending in .jsonl (also .gz, .zst) or .parquet, got {os.fspath(path)!r}"
        )


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Callable[[Record], Any]]:
    """A function that takes one record after the other; ``path`` appears when all went well.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        name = path.name.lower()
        if name.endswith(".parquet"):
            with _parquet(file) as write:
                yield write
        elif name.endswith((".gz", ".zst")):
            kind = "gzip" if name.endswith(".gz") else "zstd"
            pa = require("pyarrow", "selection")
            # A second descriptor, since the stream closes what it writes to.
            with open(os.dup(file.fileno()), "wb") as inner, pa.CompressedOutputStream(inner, kind) as stream:
                yield lambda record: stream.write(_line(record))
        else:
            yield lambda record: file.write(_line(record))


def _line(record: Record) -> bytes:
    return json.dumps(record._asdict(), ensure_ascii=False).encode() + b"\n"


@contextlib.contextmanager
def _parquet(file: BinaryIO) -> Iterator[Callable[[Record], Any]]:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    kinds = {"chunk": pa.int32(), "tokens": pa.int64()}
    schema = pa.schema(
        [pa.field(n, kinds.get(n, pa.string()), nullable=n == "tokens") for n in Record._fields]
    )
    held: list[Record] = []
    size = 0
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:

        def flush() -> None:
            columns = zip(schema, zip(*held, strict=True), strict=True)
            writer.write_table(pa.table([pa.array(c, f.type) for f, c in columns], schema=schema))
            held.clear()

        def write(record: Record) -> None:
            nonlocal size
            held.append(record)
            size += len(record.text)
            if size >= GROUP_BYTES or len(held) == GROUP_ROWS:
                flush()
                size = 0

        yield write
        if held:
            flush()
