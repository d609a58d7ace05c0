"""Which files a job reads: globs expanded, formats known by their suffix, mistakes found before any work."""

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyfastlm.errors import InputError, InputTypeError

StrPath = str | os.PathLike[str]
Format = Literal["jsonl", "text", "parquet"]
Compression = Literal["gzip", "zstd"]

STDIN = "-"
FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
    ".parquet": "parquet",
}
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Source:
    """One input: ``name`` as given (what tables and messages show), ``size`` in bytes, 0 where unknown."""

    name: str
    path: str
    format: Format
    compression: Compression | None
    size: int


def resolve(inputs: StrPath | Sequence[StrPath]) -> tuple[Source, ...]:
    """Turn paths, glob patterns and ``"-"`` (JSON lines on standard input) into the files to read, in order.

    A glob's matches come sorted by name; a file whose name looks like a glob is taken as that file.

    Raises:
        InputError: nothing given, no match, a missing file, a directory, an unknown suffix, one file twice.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not given:
        raise InputError("inputs: expected at least one file, got none")
    sources = [_source(path) for item in given for path in _expand(item)]
    seen: set[str] = set()
    for source in sources:
        identity = source.path if source.path == STDIN else os.path.realpath(source.path)
        if identity in seen:
            raise InputError(f"inputs: expected each file once, got {source.name!r} twice")
        seen.add(identity)
    return tuple(sources)


def _expand(item: StrPath) -> list[str]:
    if not isinstance(item, str | os.PathLike):
        raise InputTypeError(f"inputs: expected paths, got {type(item).__name__}")
    path = os.fspath(item)
    if "\0" in path or not path:
        raise InputError(f"inputs: expected a path, got {path!r}")
    if path == STDIN or os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    matches = sorted(glob.glob(path, recursive=True))
    if not matches:
        raise InputError(f"inputs: no file matches {path!r}")
    return matches


def _source(path: str) -> Source:
    if path == STDIN:
        return Source(STDIN, STDIN, "jsonl", None, _size_of_stdin())
    name = os.fsencode(path).decode("utf-8", "backslashreplace")
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"inputs: cannot read {name!r}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"inputs: expected files, got the directory {name!r}; give e.g. {name}/*.jsonl")
    stem, suffix = os.path.splitext(Path(path).name.lower())
    compression = COMPRESSIONS.get(suffix)
    if compression:
        suffix = os.path.splitext(stem)[1]
    form = FORMATS.get(suffix)
    if form is None or (form == "parquet" and compression):
        known = ", ".join(FORMATS)
        raise InputError(
            f"inputs: expected a name ending in {known} (all but .parquet also .gz or .zst), got {name!r}; "
            f'rename it, or feed JSON lines on standard input as "{STDIN}"'
        )
    return Source(name, path, form, compression, status.st_size if stat.S_ISREG(status.st_mode) else 0)


def _size_of_stdin() -> int:
    try:
        status = os.fstat(0)
    except OSError as error:
        raise InputError(f"inputs: standard input is closed: {error.strerror}") from error
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
