"""Lines of text files that others made: decompressed, decoded, and what is wrong named with its line."""

import contextlib
import os
import stat
from collections.abc import Iterator

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import COMPRESSIONS, Source, StrPath

# No query and no name is as long: such a file is something else.
LONGEST = 1 << 16


def text_lines(path: StrPath) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank, without its end; read as they are asked for.

    A name that ends in ``.gz`` or ``.zst`` is decompressed. A byte order mark at the start is no text.

    Raises:
        InputError: the file cannot be read, is damaged, or has no text; a line is not UTF-8, has a NUL, or
            more than ``LONGEST`` bytes.
        InputTypeError: ``path`` is no path.
    """
    source = _source(path)
    number, some = 0, False
    with contextlib.ExitStack() as stack:
        try:
            stream = lines.decompressed(lines.opened(source, stack), source, stack)
            for number, (line, _) in enumerate(lines.split(stream), 1):
                text = _text(source.name, number, line)
                if text and not text.isspace():
                    some = True
                    yield number, text
        except OSError as error:
            kind = f"truncated or damaged {source.compression}" if source.compression else "unreadable"
            reason = error.strerror or str(error).strip().partition("\n")[0]
            raise InputError(f"path: {source.name!r} is {kind} after line {number:,}: {reason}") from error
    if not some:
        raise InputError(f"path: {source.name!r} has no text")


def wrong(path: StrPath, number: int, what: str) -> InputError:
    """The error that names a line of a file."""
    return InputError(f"path: {_name(path)!r}, line {number:,}: {what}")


def _text(name: str, number: int, line: bytes | None) -> str:
    if line is None or len(line) > LONGEST:
        raise wrong(name, number, f"longer than {LONGEST >> 10} KiB: this is no file of short texts")
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in line:
        raise wrong(name, number, f"a NUL at byte {line.index(0)}: this is no text")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise wrong(name, number, lines.not_utf8(error)) from None


def _source(path: StrPath) -> Source:
    if not isinstance(path, str | os.PathLike):
        raise InputTypeError(f"path: expected a path, got {type(path).__name__}")
    given, name = os.fspath(path), _name(path)
    if not given or "\0" in given:
        raise InputError(f"path: expected a path, got {name!r}")
    try:
        status = os.stat(given)
    except OSError as error:
        raise InputError(f"path: cannot read {name!r}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"path: expected a file, got the directory {name!r}")
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return Source(name, given, "text", COMPRESSIONS.get(os.path.splitext(given)[1].lower()), size)


def _name(path: StrPath) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
