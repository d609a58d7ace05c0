"""Pages of a corpus as a stream: text, domain and id of each row, or the reason why it is of no use."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import STDIN, Source

BATCH_ROWS = 64  # small, so that a batch of long pages stays small
Rows = NDArray[np.int64]


class Page(NamedTuple):
    """A row, counted from 1; ``text`` and ``domain`` are empty where there is a ``reason``."""

    source: int
    row: int
    text: str
    domain: str
    id: str | None
    reason: str


class Pages:
    """The pages of ``sources``; may be gone through again.

    Raises:
        InputError: a source is plain text or standard input, which have no domain or are gone once read.
    """

    def __init__(self, sources: Sequence[Source], text_key: str, domain_key: str, id_key: str) -> None:
        for source in sources:
            if source.format == "text" or source.path == STDIN:
                raise InputError(
                    f"inputs: expected .jsonl or .parquet files that name a domain, got {source.name!r}"
                )
        self.sources = sources
        self._keys = (text_key, domain_key, id_key)

    def __iter__(self) -> Iterator[Page]:
        for number in range(len(self.sources)):
            yield from self.of(number)

    def of(self, number: int, wanted: Rows | None = None) -> Iterator[Page]:
        """The pages of one source; only the rows ``wanted`` (sorted), if given: others are not parsed.

        Raises:
            InputError: it is damaged or has no such column.
        """
        source = self.sources[number]
        read = self._parquet if source.format == "parquet" else self._lines
        for row, fields, reason in read(source, wanted):
            yield self._page(number, row, fields, reason)

    def _page(self, number: int, row: int, fields: dict[str, Any], reason: str) -> Page:
        text_key, domain_key, id_key = self._keys
        found = []
        try:
            if reason:
                raise ValueError(reason)
            for key in (text_key, domain_key):
                if key not in fields:
                    raise ValueError(f"no key {key!r}")
                found.append(_string(fields[key], key))
        except ValueError as error:
            return Page(number, row, "", "", None, str(error))
        return Page(number, row, found[0], found[1], _id(fields.get(id_key)), "")

    def _lines(self, source: Source, wanted: Rows | None) -> Iterator[tuple[int, dict[str, Any], str]]:
        row = at = 0
        with contextlib.ExitStack() as stack:
            try:
                stream = lines.decompressed(lines.opened(source, stack), source, stack)
                for row, (line, _) in enumerate(lines.split(stream), 1):
                    if wanted is not None:
                        if at == len(wanted):
                            return
                        if row < wanted[at]:
                            continue
                        at += 1
                    if line is None:
                        yield row, {}, f"longer than {lines.MAX_ROW_BYTES >> 20} MiB"
                        continue
                    if row == 1:
                        line = line.removeprefix(b"\xef\xbb\xbf")
                    try:
                        fields, reason = lines.json_object(line), ""
                    except ValueError as error:
                        fields, reason = {}, str(error)
                    yield row, fields, reason
            except OSError as error:
                lines.damaged(source, f"line {row:,}", 0, error)

    def _parquet(self, source: Source, wanted: Rows | None) -> Iterator[tuple[int, dict[str, Any], str]]:
        pa, pq = require("pyarrow", "selection"), require("pyarrow.parquet", "selection")
        start = 0
        try:
            with pq.ParquetFile(source.path, pre_buffer=False, page_checksum_verification=True) as file:
                columns = self._columns(source, file.schema_arrow.names)
                for group in range(file.num_row_groups):
                    stop = start + file.metadata.row_group(group).num_rows
                    if wanted is not None and not _some(wanted, start, stop):
                        start = stop
                        continue
                    options = {"row_groups": [group], "columns": columns, "use_threads": False}
                    for batch in file.iter_batches(BATCH_ROWS, **options):
                        chosen = _some(wanted, start, start + len(batch))
                        for offset in range(len(batch)) if chosen is None else chosen:
                            fields = {name: _value(batch.column(name), offset, pa) for name in columns}
                            yield start + int(offset) + 1, fields, ""
                        start += len(batch)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            lines.damaged(source, f"row {start:,}", 0, error)

    def _columns(self, source: Source, names: list[str]) -> list[str]:
        for key, argument in zip(self._keys, ("text_key", "domain_key"), strict=False):
            if names.count(key) != 1:
                some = ", ".join(names[:20])
                raise InputError(
                    f"{argument}: {source.name!r} has no column {key!r}; its columns are: {some}"
                )
        return list(dict.fromkeys(key for key in self._keys if names.count(key) == 1))


def _some(wanted: Rows | None, start: int, stop: int) -> list[int] | None:
    """Which of ``wanted`` are among the rows ``start`` to ``stop`` (from 0), counted from ``start``."""
    if wanted is None:
        return None
    left, right = np.searchsorted(wanted, (start + 1, stop + 1))
    return [int(row) for row in wanted[left:right] - 1 - start]


def _value(column: Any, offset: int, pa: Any) -> Any:
    """A cell; strings as bytes, since a stored one need not be UTF-8, and must stop no other."""
    cell = column[offset]
    if not cell.is_valid:
        return None
    if pa.types.is_dictionary(column.type):
        cell = column.dictionary[column.indices[offset].as_py()]
    kind = cell.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return cell.as_buffer().to_pybytes()
    return cell.as_py()


def _string(value: Any, key: str) -> str:
    if isinstance(value, bytes):
        if len(value) > lines.MAX_ROW_BYTES:
            raise ValueError(f"longer than {lines.MAX_ROW_BYTES >> 20} MiB")
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{key!r} is {lines.not_utf8(error)}") from None
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is {lines.json_type(value)}, expected a string")
    if not value:
        raise ValueError(f"{key!r} is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{key!r} has a lone surrogate at character {error.start}") from None
    return value


def _id(value: Any) -> str | None:
    """An id as text: a string as it is, anything else as JSON."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "backslashreplace").decode()
