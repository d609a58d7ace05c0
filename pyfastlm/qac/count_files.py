"""Terms with counts from files, as a stream; every mistake names its file and line."""

import contextlib
import gzip
import json
import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from pyfastlm._require import require
from pyfastlm.errors import InputError

Order = Literal["count-term", "term-count"]
ORDERS: tuple[Order, ...] = ("count-term", "term-count")
STDIN = "-"
MOST_LINE_BYTES = 1 << 20
BATCH_ROWS = 1 << 14
LINES = {".tsv": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}

Pair = tuple[str, float]


class CountFiles:
    """All pairs (term, count) of files, in their order; :attr:`rows` says how many there were so far.

    A file ending in ``.tsv`` or ``.txt`` has a count, a tab and a term on each line, or the other way around;
    ``.jsonl`` and ``.ndjson`` an object with ``term`` and ``count``; all these also with ``.gz`` behind;
    ``.parquet`` the columns ``term`` and ``count``. ``-`` is standard input, as ``.tsv``. Blank lines are
    left out.

    Args:
        paths: the files.
        order: of the columns of a ``.tsv``: ``"count-term"`` or ``"term-count"``.

    Raises:
        InputError: at once where a file cannot be read or has another ending; while reading, where a row is
            wrong or a file damaged.
    """

    def __init__(self, paths: Sequence[str], *, order: Order = "count-term") -> None:
        if order not in ORDERS:
            raise InputError(f"order: expected one of {', '.join(ORDERS)}, got {order!r}")
        self.rows = 0
        parse = _term_last if order == "count-term" else _term_first
        self._readers = [_reader(path, parse) for path in paths]

    def __iter__(self) -> Iterator[Pair]:
        for read in self._readers:
            for pair in read():
                self.rows += 1
                yield pair


class _Wrong(ValueError):
    """What is wrong with a row; becomes an :class:`InputError` with its place."""


def _reader(path: str, parse: Callable[[bytes], Pair]) -> Callable[[], Iterator[Pair]]:
    if path == STDIN:
        return lambda: _lines("standard input", lambda: cast(BinaryIO, sys.stdin.buffer), parse)
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    packed = suffixes[-1:] == [".gz"]
    kind = suffixes[-2:-1] if packed else suffixes[-1:]
    if kind != [".parquet"] and not (kind and kind[0] in LINES):
        known = ", ".join(LINES)
        raise InputError(f"counts: expected a name ending in {known} (also .gz) or .parquet, got {path!r}")
    if packed and kind == [".parquet"]:
        raise InputError(f"counts: {path!r} is compressed twice; unpack the .gz")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"counts: cannot read {path!r}: {error.strerror}") from None
    if kind == [".parquet"]:
        return lambda: _parquet(path)
    row = parse if LINES[kind[0]] == "tsv" else _json_row
    opened = gzip.open if packed else open
    return lambda: _lines(path, lambda: cast(BinaryIO, opened(path, "rb")), row)


def _lines(name: str, opened: Callable[[], BinaryIO], parse: Callable[[bytes], Pair]) -> Iterator[Pair]:
    number = 0
    try:
        with contextlib.closing(opened()) as file:
            while line := file.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(line) > MOST_LINE_BYTES:
                    raise _Wrong(f"expected at most {MOST_LINE_BYTES} bytes")
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                line = line.removesuffix(b"\n").removesuffix(b"\r")
                if line:
                    yield parse(line)
    except _Wrong as error:
        raise InputError(f"counts: {name}, line {number}: {error}") from None
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(f"counts: {name}, after line {number}: {error}") from None


def _term_last(line: bytes) -> Pair:
    count, tab, term = line.partition(b"\t")
    if not tab or b"\t" in term:
        raise _Wrong(f"expected a count, a tab and a term, got {line[:60].decode('utf-8', 'replace')!r}")
    return _pair(_decoded(term), _number(_decoded(count)))


def _term_first(line: bytes) -> Pair:
    term, tab, count = line.partition(b"\t")
    if not tab or b"\t" in count:
        raise _Wrong(f"expected a term, a tab and a count, got {line[:60].decode('utf-8', 'replace')!r}")
    return _pair(_decoded(term), _number(_decoded(count)))


def _json_row(line: bytes) -> Pair:
    text = _decoded(line)
    try:
        row = json.loads(text)
    except ValueError as error:
        raise _Wrong(f"invalid JSON: {error}") from None
    except RecursionError:
        raise _Wrong("invalid JSON: too deep") from None
    if not isinstance(row, dict):
        raise _Wrong(f"expected an object with term and count, got {text[:60]!r}")
    return _pair(row.get("term"), row.get("count"))


def _parquet(path: str) -> Iterator[Pair]:
    pa, pq = require("pyarrow", "qac"), require("pyarrow.parquet", "qac")
    number = 0
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            if missing := {"term", "count"} - set(file.schema_arrow.names):
                raise InputError(f"counts: {path} has no column {min(missing)!r}; it needs term and count")
            for batch in file.iter_batches(BATCH_ROWS, columns=["term", "count"], use_threads=False):
                for term, count in _values(batch):
                    number += 1
                    yield _pair(term, count)
    except _Wrong as error:
        raise InputError(f"counts: {path}, row {number}: {error}") from None
    except UnicodeDecodeError:
        raise InputError(f"counts: {path}, row {number + 1}: term: expected UTF-8") from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"counts: {path}, after row {number}: {error}") from None


def _values(batch: Any) -> Iterator[tuple[Any, Any]]:
    terms, counts = batch.column("term"), batch.column("count")
    try:
        yield from zip(terms.to_pylist(), counts.to_pylist(), strict=True)
    except UnicodeDecodeError:  # a stored string need not be UTF-8, and its row must be named
        for term, count in zip(terms, counts, strict=True):
            yield term.as_py(), count.as_py()


def _pair(term: Any, count: Any) -> Pair:
    if not isinstance(term, str) or not term:
        raise _Wrong(f"term: expected a string that is not empty, got {term!r}")
    if not term.isascii() and any("\ud800" <= character <= "\udfff" for character in term):
        raise _Wrong("term: expected text, got half of a surrogate pair")
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise _Wrong(f"count: expected a number, got {count!r}")
    try:
        number = float(count)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Wrong(f"count: expected a finite number, got {number!r}")
    return term, number


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise _Wrong(f"expected UTF-8, got byte 0x{text[error.start]:02x}") from None


def _number(text: str) -> float:
    try:
        if "_" in text:  # float() takes it
            raise ValueError
        return float(text)
    except ValueError:
        raise _Wrong(f"count: expected a number, got {text[:40]!r}") from None
