"""Taken pages into a file: JSON lines, also compressed, or Parquet."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pyfastlm._require import require
from pyfastlm.errors import InputError

BATCH_PAGES = 1024
BATCH_BYTES = 16 << 20
LINES = {".jsonl": None, ".jsonl.gz": "gzip", ".jsonl.zst": "zstd"}
PARQUET = ".parquet"


class Taken(NamedTuple):
    """A page of the output; ``source`` and ``row`` say where it was, ``tokens`` how many are taken of it."""

    id: str | None
    text: str
    domain: str | None
    score: float
    tokens: int
    source: str
    row: int


def suffix_of(path: Path) -> str:
    """The part of a name that says the format.

    Raises:
        InputError: it is none that can be written.
    """
    for suffix in (*LINES, PARQUET):
        if path.name.lower().endswith(suffix):
            return suffix
    known = ", ".join((*LINES, PARQUET))
    raise InputError(f"output: expected a name ending in {known}, got {str(path)!r}")


def write(file: BinaryIO, pages: Iterator[Taken], suffix: str, *, domains: bool) -> None:
    """Write ``pages`` in the format of ``suffix``; ``domains`` whether they have one."""
    if suffix == PARQUET:
        _parquet(file, pages, domains)
    else:
        _lines(file, pages, LINES[suffix], domains)


def _lines(file: BinaryIO, pages: Iterator[Taken], compression: str | None, domains: bool) -> None:
    pa = require("pyarrow", "selection")
    with contextlib.ExitStack() as stack:
        sink: Any = file
        if compression:
            # The stream closes its file, which is still to be synced.
            kept = stack.enter_context(open(file.fileno(), "wb", closefd=False))
            sink = stack.enter_context(pa.CompressedOutputStream(kept, compression))
        for page in pages:
            value = page._asdict()
            if not domains:
                del value["domain"]
            sink.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def _parquet(file: BinaryIO, pages: Iterator[Taken], domains: bool) -> None:
    pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
    kinds = {
        "id": pa.string(), "text": pa.large_string(), "domain": pa.string(), "score": pa.float64(),
        "tokens": pa.int64(), "source": pa.string(), "row": pa.int64(),
    }  # fmt: skip
    if not domains:
        del kinds["domain"]
    schema = pa.schema(list(kinds.items()))
    writer = pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)
    try:
        held: list[dict[str, Any]] = []
        size = 0
        for page in pages:
            held.append(page._asdict())
            size += len(page.text)
            if len(held) >= BATCH_PAGES or size >= BATCH_BYTES:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held, size = [], 0
        writer.write_table(pa.Table.from_pylist(held, schema=schema))
    except BaseException:
        # Closing writes the footer, which fails again on a full disk; the first error is the one to tell.
        with contextlib.suppress(Exception):
            writer.close()
        raise
    writer.close()
