"""Pages of files as a stream: each has a text and some fields, or the reason why it cannot be used."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import STDIN, Source, StrPath, resolve

# Small, so that a batch of long pages stays small.
PARQUET_BATCH_ROWS = 64


class Page(NamedTuple):
    """One row: ``text`` of ``n_bytes`` UTF-8 bytes, or ``text=None`` with a ``reason``.

    ``source`` is an index into the sources; ``row`` counts lines, or rows of a table, from 1. ``fields`` are
    the values under the keys that were asked for.
    """

    source: int
    row: int
    id: str | None
    text: str | None
    n_bytes: int
    reason: str | None
    fields: tuple[Any, ...]


class Pages:
    """The pages of ``sources``, to be gone through as often as wanted.

    Args:
        sources: as :func:`sources_of` gives them.
        text_key: key of a JSON object, or column of a Parquet file; plain text has a text a line.
        keys: further fields of each page; None where a row has none.
    """

    def __init__(self, sources: tuple[Source, ...], text_key: str, keys: Sequence[str] = ()) -> None:
        for name in (text_key, *keys):
            if not isinstance(name, str) or not name:
                raise InputError(f"text_key: expected names of fields, got {name!r}")
        for source in sources:
            if source.format == "text" and keys:
                raise InputError(f"inputs: plain text has no field {keys[0]!r}, got {source.name!r}")
        self.sources, self._text_key, self._keys = sources, text_key, tuple(keys)

    def __iter__(self) -> Iterator[Page]:
        for index, source in enumerate(self.sources):
            read = self._parquet if source.format == "parquet" else self._lines
            yield from read(index, source)

    def _lines(self, index: int, source: Source) -> Iterator[Page]:
        number = 0
        with contextlib.ExitStack() as stack:
            raw = lines.opened(source, stack)
            try:
                for line, _ in lines.split(lines.decompressed(raw, source, stack)):
                    number += 1
                    if line is not None and number == 1:
                        line = line.removeprefix(b"\xef\xbb\xbf")
                    if line is None:
                        yield self._rejected(index, number, f"longer than {lines.MAX_ROW_BYTES >> 20} MiB")
                    elif source.format == "text":
                        yield self._page(index, number, None, line, ())
                    else:
                        yield self._object(index, number, line)
            except OSError as error:
                lines.damaged(source, f"line {number:,}", raw.tell(), error)

    def _object(self, index: int, number: int, line: bytes) -> Page:
        try:
            value = lines.json_object(line)
        except ValueError as error:
            return self._rejected(index, number, str(error))
        name, fields = _id(value.get("id")), tuple(_field(value.get(key)) for key in self._keys)
        text = value.get(self._text_key)
        if not isinstance(text, str):
            reason = f"{self._text_key!r} is {lines.json_type(text)}, expected a string"
            return self._rejected(index, number, reason, name)
        try:
            return self._page(index, number, name, text.encode(), fields)
        except UnicodeEncodeError as error:
            return self._rejected(index, number, f"lone surrogate at character {error.start}", name)

    def _parquet(self, index: int, source: Source) -> Iterator[Page]:
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        number = 0
        try:
            with pq.ParquetFile(
                source.path, pre_buffer=False, buffer_size=lines.BUFFER_BYTES, page_checksum_verification=True
            ) as file:
                columns = _columns(source, file.schema_arrow, self._text_key, self._keys, pa)
                for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=columns, use_threads=False):
                    # As bytes: a stored string need not be valid UTF-8, and one bad row must stop no other.
                    texts = _as_bytes(batch.column(self._text_key), pa)
                    names = batch.column("id").to_pylist() if "id" in columns else [None] * len(texts)
                    fields = [batch.column(key).to_pylist() for key in self._keys]
                    for name, text, *values in zip(names, texts, *fields, strict=True):
                        number += 1
                        if text is None:
                            reason = f"{self._text_key!r} is null, expected a string"
                            yield self._rejected(index, number, reason, _id(name))
                        else:
                            yield self._page(index, number, _id(name), text, tuple(values))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            lines.damaged(source, f"row {number:,}", 0, error)

    def _page(self, index: int, number: int, name: str | None, text: bytes, fields: tuple[Any, ...]) -> Page:
        if not text:
            return self._rejected(index, number, "empty text", name)
        if len(text) > lines.MAX_ROW_BYTES:
            return self._rejected(index, number, f"longer than {lines.MAX_ROW_BYTES >> 20} MiB", name)
        try:
            return Page(index, number, name, text.decode(), len(text), None, fields)
        except UnicodeDecodeError as error:
            return self._rejected(index, number, lines.not_utf8(error), name)

    def _rejected(self, index: int, number: int, reason: str, name: str | None = None) -> Page:
        return Page(index, number, name, None, 0, reason, (None,) * len(self._keys))


def sources_of(inputs: StrPath | Sequence[StrPath]) -> tuple[Source, ...]:
    """The files to read: paths and globs, known by their suffix.

    Raises:
        InputError: as :func:`pyfastlm.lm.files.inputs.resolve`; also standard input, which cannot be read
            twice.
    """
    sources = resolve(inputs)
    if any(source.path == STDIN for source in sources):
        raise InputError("inputs: expected files, they are read more than once; got standard input")
    return sources


def _id(value: object) -> str | None:
    """The row's own id as text: a string as it is, anything else as JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def _field(value: Any) -> Any:
    """A value under a key; JSON can spell strings that no encoding has, which are made printable."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _columns(source: Source, schema: Any, text_key: str, keys: Sequence[str], pa: Any) -> list[str]:
    for key in (text_key, *keys):
        if schema.names.count(key) != 1:
            shown = ", ".join(schema.names[:20])
            raise InputError(f"text_key: {source.name!r} has no column {key!r}; its columns are: {shown}")
    kind = schema.field(text_key).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    kinds = ("string", "large_string", "binary", "large_binary", "string_view")
    if str(kind) not in kinds:
        raise InputError(f"text_key: expected a column of strings, got {kind} in {source.name!r}")
    wanted = [text_key, *keys]
    if "id" not in wanted and schema.names.count("id") == 1:
        wanted.append("id")
    return wanted


def _as_bytes(column: Any, pa: Any) -> list[bytes | None]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    found: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return found
