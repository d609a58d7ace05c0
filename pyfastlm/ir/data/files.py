"""Files read whole or line by line, up to a size, plain or compressed by gzip."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files.lines import json_object

StrPath = str | os.PathLike[str]

LARGEST = 1 << 30  # bytes, after decompression


def read_text(path: StrPath) -> str:
    """The text of a file.

    Raises:
        InputError: it cannot be read, is larger than ``LARGEST``, damaged, or not UTF-8.
    """
    file = as_path(path)
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else open(file, "rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        _unreadable(path, error)
    if len(data) > LARGEST:
        raise InputError(f"path: {shown(path)} has more than {LARGEST >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"path: {shown(path)} is not UTF-8: {error.reason} at byte {error.start}") from None


def read_json(path: StrPath) -> Any:
    """The JSON value of a file.

    Raises:
        InputError: as :func:`read_text`, or it is not JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        detail = f": {error}" if isinstance(error, _Twice) else ""
        raise InputError(f"path: {shown(path)} is not JSON{detail}") from None


def read_lines(path: StrPath) -> Iterator[tuple[str, str]]:
    """Lines that are not blank; each after where it is, for messages.

    Raises:
        InputError: as :func:`read_text`.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            yield f"path: {shown(path)}, line {number:,}", line


def read_objects(path: StrPath) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of the lines; each after where it is.

    Raises:
        InputError: as :func:`read_text`, or a line is no JSON object.
    """
    for where, line in read_lines(path):
        try:
            yield where, json_object(line.encode("utf-8", "surrogatepass"))
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None


def as_path(path: StrPath) -> Path:
    """``path`` as a ``Path``.

    Raises:
        InputTypeError: it is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputTypeError(f"path: expected a path, got {type(path).__name__}")
    return Path(path)


def shown(path: StrPath) -> str:
    """A path as messages name it."""
    return repr(os.fspath(path))


class _Twice(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(f"the key {next(key for key in keys if keys.count(key) > 1)!r} comes twice")
    return found


def _unreadable(path: StrPath, error: Exception) -> NoReturn:
    why = getattr(error, "strerror", None) or str(error) or "it is truncated"
    raise InputError(f"path: cannot read {shown(path)}: {why}") from error
