"""Rows of one input as a stream: each is a text to score, or the reason why it cannot be."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import Source
from pyfastlm.lm.files.lines import json_object, json_type, not_utf8

# Small, so that a batch of long documents stays small.
PARQUET_BATCH_ROWS = 64
KEPT = "restore the file and run again: what is scored is kept"


class Row(NamedTuple):
    """One row: ``text`` of ``n_bytes`` UTF-8 bytes, or ``text=None`` with a ``reason``.

    ``source`` is an index into the job's sources; ``row`` counts lines, or rows of a table, from 1.
    """

    source: int
    row: int
    id: str | None
    text: str | None
    n_bytes: int
    reason: str | None


class Reader:
    """Reads sources one after the other and knows how many of their bytes have been consumed."""

    def __init__(self, sources: tuple[Source, ...], text_key: str) -> None:
        self.sources = sources
        self.text_key = text_key
        self._finished = 0
        self._tell: Callable[[], int] = _nothing

    @property
    def position(self) -> int:
        """Bytes consumed so far, as stored (compressed bytes of a compressed file)."""
        return self._finished + self._tell()

    def __iter__(self) -> Iterator[Row]:
        for index, source in enumerate(self.sources):
            read = self._parquet if source.format == "parquet" else self._lines
            yield from read(index, source)
            self._tell = _nothing
            self._finished += source.size

    def _lines(self, index: int, source: Source) -> Iterator[Row]:
        parse = _json_row if source.format == "jsonl" else _text_row
        number = consumed = 0
        with contextlib.ExitStack() as stack:
            raw = lines.opened(source, stack)
            if source.size:
                self._tell = raw.tell if source.compression else lambda: consumed
            try:
                for line, length in lines.split(lines.decompressed(raw, source, stack)):
                    consumed += length
                    number += 1
                    if line is None:
                        yield _rejected(index, number, f"longer than {lines.MAX_ROW_BYTES >> 20} MiB")
                        continue
                    if number == 1:
                        line = line.removeprefix(b"\xef\xbb\xbf")
                    yield parse(index, number, line, self.text_key)
            except OSError as error:
                lines.damaged(source, f"line {number:,}", self._tell(), error, KEPT)

    def _parquet(self, index: int, source: Source) -> Iterator[Row]:
        pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
        number = 0
        try:
            with pq.ParquetFile(
                source.path, pre_buffer=False, buffer_size=lines.BUFFER_BYTES, page_checksum_verification=True
            ) as file:
                columns = _columns(source, file.schema_arrow, self.text_key, pa)
                total = max(file.metadata.num_rows, 1)
                self._tell = lambda: source.size * min(number, total) // total
                for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=columns, use_threads=False):
                    # As bytes: a stored string need not be valid UTF-8, and one bad row must stop no other.
                    texts = _as_bytes(batch.column(self.text_key), pa)
                    ids = _ids(batch.column("id"), pa) if "id" in columns else None
                    for offset, text in enumerate(texts):
                        number += 1
                        name = None if ids is None else _id(ids[offset])
                        yield _bytes_row(index, number, name, text, self.text_key)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            lines.damaged(source, f"row {number:,}", 0, error, KEPT)


def _nothing() -> int:
    return 0


def _text_row(index: int, number: int, line: bytes, text_key: str) -> Row:
    return _bytes_row(index, number, None, line, text_key)


def _bytes_row(index: int, number: int, name: str | None, text: bytes | None, text_key: str) -> Row:
    if text is None:
        return _rejected(index, number, f"{text_key!r} is null, expected a string", name)
    if not text:
        return _rejected(index, number, "empty text", name)
    if len(text) > lines.MAX_ROW_BYTES:
        return _rejected(index, number, f"longer than {lines.MAX_ROW_BYTES >> 20} MiB", name)
    try:
        return Row(index, number, name, text.decode(), len(text), None)
    except UnicodeDecodeError as error:
        return _rejected(index, number, not_utf8(error), name)


def _json_row(index: int, number: int, line: bytes, text_key: str) -> Row:
    try:
        value = json_object(line)
    except ValueError as error:
        return _rejected(index, number, str(error))
    name = _id(value.get("id"))
    if text_key not in value:
        return _rejected(index, number, f"no key {text_key!r}", name)
    text = value[text_key]
    if not isinstance(text, str):
        return _rejected(index, number, f"{text_key!r} is {json_type(text)}, expected a string", name)
    if not text:
        return _rejected(index, number, "empty text", name)
    try:
        return Row(index, number, name, text, len(text.encode()), None)
    except UnicodeEncodeError as error:
        return _rejected(index, number, f"lone surrogate at character {error.start}", name)


def _rejected(index: int, number: int, reason: str, name: str | None = None) -> Row:
    return Row(index, number, name, None, 0, reason)


def _id(value: object) -> str | None:
    """The row's own id as text: a string as it is, anything else as JSON."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def _columns(source: Source, schema: Any, text_key: str, pa: Any) -> list[str]:
    if schema.names.count(text_key) != 1:
        shown = ", ".join(schema.names[:20])
        raise InputError(f"text_key: {source.name!r} has no column {text_key!r}; its columns are: {shown}")
    kind = schema.field(text_key).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not _is_text(kind, pa):
        raise InputError(f"text_key: expected a column of strings, got {kind} in {source.name!r}")
    return [text_key, "id"] if schema.names.count("id") == 1 and text_key != "id" else [text_key]


def _is_text(kind: Any, pa: Any) -> bool:
    view = getattr(pa.types, "is_string_view", None)
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or (view is not None and view(kind))
    )


def _ids(column: Any, pa: Any) -> list[Any]:
    return _as_bytes(column, pa) if _is_text(column.type, pa) else cast("list[Any]", column.to_pylist())


def _as_bytes(column: Any, pa: Any) -> list[bytes | None]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return cast("list[bytes | None]", column.cast(pa.large_binary()).to_pylist())
