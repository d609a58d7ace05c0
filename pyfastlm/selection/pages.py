"""Pages of files as a stream: each has a text and some fields, or the reason why it cannot be used."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import STDIN, Source, StrPath, resolve

# Small, so that a batch of long pages stays small.
PARQUET_BATCH_ROWS = 64
_NONE: Mapping[str, str] = MappingProxyType({})

Rows = NDArray[np.int64]


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
        keys: further fields of each page, by the argument that names them; None where a row has none.
        id_key: key or column of the id, which may be absent.
    """

    def __init__(
        self, sources: Sequence[Source], text_key: str, keys: Mapping[str, str] = _NONE, id_key: str = "id"
    ) -> None:
        for argument, name in {"text_key": text_key, **keys, "id_key": id_key}.items():
            if not isinstance(name, str) or not name:
                raise InputError(f"{argument}: expected the name of a field, got {name!r}")
        for source in sources:
            if source.format == "text" and keys:
                raise InputError(
                    f"inputs: expected .jsonl or .parquet files, plain text has no field "
                    f"{next(iter(keys.values()))!r}; got {source.name!r}"
                )
        self.sources, self._text_key, self._id_key = tuple(sources), text_key, id_key
        self._arguments, self._keys = dict(keys), tuple(keys.values())

    def __iter__(self) -> Iterator[Page]:
        for index in range(len(self.sources)):
            yield from self.of(index)

    def of(self, index: int, wanted: Rows | None = None) -> Iterator[Page]:
        """The pages of one source; only the rows ``wanted`` (rising), if given: others are not parsed.

        Raises:
            InputError: it is damaged, or has no such column.
        """
        source = self.sources[index]
        read = self._parquet if source.format == "parquet" else self._lines
        return read(index, source, wanted)

    def _lines(self, index: int, source: Source, wanted: Rows | None) -> Iterator[Page]:
        number = at = 0
        with contextlib.ExitStack() as stack:
            raw = lines.opened(source, stack)
            try:
                for line, _ in lines.split(lines.decompressed(raw, source, stack)):
                    number += 1
                    if wanted is not None:
                        if at == len(wanted):
                            return
                        if number < wanted[at]:
                            continue
                        at += 1
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
        name, fields = _id(value.get(self._id_key)), tuple(_field(value.get(key)) for key in self._keys)
        if self._text_key not in value:
            return self._rejected(index, number, f"no key {self._text_key!r}", name)
        text = value[self._text_key]
        if not isinstance(text, str):
            reason = f"{self._text_key!r} is {lines.json_type(text)}, expected a string"
            return self._rejected(index, number, reason, name)
        try:
            return self._page(index, number, name, text.encode(), fields)
        except UnicodeEncodeError as error:
            return self._rejected(index, number, f"lone surrogate at character {error.start}", name)

    def _parquet(self, index: int, source: Source, wanted: Rows | None) -> Iterator[Page]:
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        number = 0
        try:
            with pq.ParquetFile(
                source.path, pre_buffer=False, buffer_size=lines.BUFFER_BYTES, page_checksum_verification=True
            ) as file:
                columns = self._columns(source, file.schema_arrow, pa)
                for group in range(file.num_row_groups):
                    rows = file.metadata.row_group(group).num_rows
                    if wanted is not None and not _some(wanted, number, rows):
                        number += rows
                        continue
                    options = {"row_groups": [group], "columns": columns, "use_threads": False}
                    for batch in file.iter_batches(PARQUET_BATCH_ROWS, **options):
                        chosen = range(len(batch)) if wanted is None else _some(wanted, number, len(batch))
                        if chosen:
                            yield from self._batch(index, number, batch, chosen, pa)
                        number += len(batch)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            lines.damaged(source, f"row {number:,}", 0, error)

    def _batch(self, index: int, before: int, batch: Any, chosen: Sequence[int], pa: Any) -> Iterator[Page]:
        # As bytes: a stored string need not be valid UTF-8, and one bad row must stop no other.
        texts = _as_bytes(batch.column(self._text_key), pa)
        has_id = self._id_key in batch.schema.names
        names = _values(batch.column(self._id_key), pa) if has_id else [None] * len(texts)
        fields = [_values(batch.column(key), pa) for key in self._keys]
        for place in chosen:
            text, name = texts[place], _id(names[place])
            if text is None:
                reason = f"{self._text_key!r} is null, expected a string"
                yield self._rejected(index, before + place + 1, reason, name)
            else:
                values = tuple(column[place] for column in fields)
                yield self._page(index, before + place + 1, name, text, values)

    def _columns(self, source: Source, schema: Any, pa: Any) -> list[str]:
        for argument, key in {"text_key": self._text_key, **self._arguments}.items():
            if schema.names.count(key) != 1:
                shown = ", ".join(schema.names[:20])
                raise InputError(
                    f"{argument}: {source.name!r} has no column {key!r}; its columns are: {shown}"
                )
        kind = schema.field(self._text_key).type
        if not _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            raise InputError(f"text_key: expected a column of strings, got {kind} in {source.name!r}")
        ids = [self._id_key] if schema.names.count(self._id_key) == 1 else []
        return list(dict.fromkeys((self._text_key, *self._keys, *ids)))

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


def _some(wanted: Rows, before: int, count: int) -> list[int]:
    """Which of the ``count`` rows after the first ``before`` are wanted, counted from 0."""
    left, right = np.searchsorted(wanted, (before + 1, before + count + 1))
    return [int(row) - before - 1 for row in wanted[left:right]]


def _id(value: object) -> str | None:
    """The row's own id as text: a string as it is, anything else as JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "backslashreplace").decode()


def _field(value: Any) -> Any:
    """A value under a key; JSON can spell strings that no encoding has, which are made printable."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "binary", "large_binary", "string_view")


def _as_bytes(column: Any, pa: Any) -> list[bytes | None]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    found: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return found


def _values(column: Any, pa: Any) -> list[Any]:
    """Values of a column; bytes of strings that are not UTF-8 are made printable."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not _is_text(kind):
        found: list[Any] = column.to_pylist()
        return found
    return [None if v is None else v.decode("utf-8", "backslashreplace") for v in _as_bytes(column, pa)]
