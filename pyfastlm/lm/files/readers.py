"""Rows of one input as a stream: each is a text to score, or the reason why it cannot be."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, NoReturn, cast

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import STDIN, Source

# Longer rows are rejected: a file without line ends must not be loaded whole.
MAX_ROW_BYTES = 64 << 20
# Small, so that a batch of long documents stays small.
PARQUET_BATCH_ROWS = 64
BUFFER_BYTES = 1 << 16


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
        number = 0
        with contextlib.ExitStack() as stack:
            raw = _open(source, stack)
            consumed = 0
            if source.size:
                self._tell = raw.tell if source.compression else lambda: consumed
            try:
                for line, length in _split(_decompressed(raw, source, stack)):
                    consumed += length
                    number += 1
                    if line is None:
                        yield _rejected(index, number, f"longer than {MAX_ROW_BYTES >> 20} MiB")
                        continue
                    if number == 1:
                        line = line.removeprefix(b"\xef\xbb\xbf")
                    yield parse(index, number, line, self.text_key)
            except OSError as error:
                _damaged(source, f"line {number:,}", self._tell(), error)

    def _parquet(self, index: int, source: Source) -> Iterator[Row]:
        pa, pq = require("pyarrow", "lm"), require("pyarrow.parquet", "lm")
        number = 0
        try:
            with pq.ParquetFile(
                source.path, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True
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
            _damaged(source, f"row {number:,}", 0, error)


def _nothing() -> int:
    return 0


def _open(source: Source, stack: contextlib.ExitStack) -> BinaryIO:
    if source.path == STDIN:
        # A second descriptor: closing it leaves the process's own standard input open.
        return cast(BinaryIO, stack.enter_context(open(os.dup(0), "rb", buffering=0)))
    return cast(BinaryIO, stack.enter_context(open(source.path, "rb", buffering=0)))


def _decompressed(raw: BinaryIO, source: Source, stack: contextlib.ExitStack) -> BinaryIO:
    if source.compression is None:
        return stack.enter_context(io.BufferedReader(cast(io.RawIOBase, raw), BUFFER_BYTES))
    if source.size == 0 and os.path.isfile(source.path):
        raise OSError("the file has 0 bytes")
    pa = require("pyarrow", "lm")
    stream = pa.input_stream(raw, compression=source.compression, buffer_size=BUFFER_BYTES)
    return stack.enter_context(io.BufferedReader(stream, BUFFER_BYTES))


def _split(stream: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
    """Lines without their end (LF or CRLF), and their lengths with it.

    None stands for a line over the limit, which is skipped.
    """
    while line := stream.readline(MAX_ROW_BYTES + 2):
        length = len(line)
        if length > MAX_ROW_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(BUFFER_BYTES)) and not rest.endswith(b"\n"):
                length += len(rest)
            yield None, length + len(rest)
        else:
            yield line.removesuffix(b"\n").removesuffix(b"\r"), length


def _text_row(index: int, number: int, line: bytes, text_key: str) -> Row:
    return _bytes_row(index, number, None, line, text_key)


def _bytes_row(index: int, number: int, name: str | None, text: bytes | None, text_key: str) -> Row:
    if text is None:
        return _rejected(index, number, f"{text_key!r} is null, expected a string", name)
    if not text:
        return _rejected(index, number, "empty text", name)
    if len(text) > MAX_ROW_BYTES:
        return _rejected(index, number, f"longer than {MAX_ROW_BYTES >> 20} MiB", name)
    try:
        return Row(index, number, name, text.decode(), len(text), None)
    except UnicodeDecodeError as error:
        return _rejected(index, number, _not_utf8(error), name)


def _json_row(index: int, number: int, line: bytes, text_key: str) -> Row:
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return _rejected(index, number, _not_utf8(error))
    except json.JSONDecodeError as error:
        reason = "blank line" if not line.strip() else f"invalid JSON: {error.msg} at character {error.pos}"
        return _rejected(index, number, reason)
    except ValueError:
        return _rejected(index, number, "invalid JSON: a number has too many digits")
    except RecursionError:
        return _rejected(index, number, "invalid JSON: nested too deeply")
    if not isinstance(value, dict):
        return _rejected(index, number, f"expected a JSON object, got {_json_type(value)}")
    name = _id(value.get("id"))
    if text_key not in value:
        return _rejected(index, number, f"no key {text_key!r}", name)
    text = value[text_key]
    if not isinstance(text, str):
        return _rejected(index, number, f"{text_key!r} is {_json_type(text)}, expected a string", name)
    if not text:
        return _rejected(index, number, "empty text", name)
    try:
        return Row(index, number, name, text, len(text.encode()), None)
    except UnicodeEncodeError as error:
        return _rejected(index, number, f"lone surrogate at character {error.start}", name)


def _rejected(index: int, number: int, reason: str, name: str | None = None) -> Row:
    return Row(index, number, name, None, 0, reason)


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: {error.reason} at byte {error.start}"


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


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


def _damaged(source: Source, reached: str, position: int, error: Exception) -> NoReturn:
    """Tell a failing disk (has an errno) from a file that is not what its name says."""
    if isinstance(error, OSError) and error.errno is not None:
        raise type(error)(error.errno, os.strerror(error.errno), source.name) from error
    kind = source.compression or source.format
    where = f"after {reached}" + (f" (byte {position:,} of {source.size:,})" if position else "")
    detail = str(error).strip().partition("\n")[0]
    raise InputError(
        f"inputs: {source.name!r} is truncated or damaged {kind} {where}: {detail}; "
        "restore the file and run again: what is scored is kept"
    ) from error
