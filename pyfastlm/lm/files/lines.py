"""Lines of a source, of a bounded length, whatever it is compressed with; and what a damaged one says."""

import contextlib
import io
import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn, cast

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import STDIN, Source

# Longer rows are rejected: a file without line ends must not be loaded whole.
MAX_ROW_BYTES = 64 << 20
BUFFER_BYTES = 1 << 16


def opened(source: Source, stack: contextlib.ExitStack) -> BinaryIO:
    """The bytes of ``source`` as they are stored, until ``stack`` closes."""
    if source.path == STDIN:
        # A second descriptor: closing it leaves the process's own standard input open.
        return cast(BinaryIO, stack.enter_context(open(os.dup(0), "rb", buffering=0)))
    return cast(BinaryIO, stack.enter_context(open(source.path, "rb", buffering=0)))


def decompressed(raw: BinaryIO, source: Source, stack: contextlib.ExitStack) -> BinaryIO:
    """What ``raw``, the stored bytes of ``source``, stand for, until ``stack`` closes.

    Raises:
        OSError: here or while it is read: they are damaged.
    """
    if source.compression is None:
        return stack.enter_context(io.BufferedReader(cast(io.RawIOBase, raw), BUFFER_BYTES))
    if source.size == 0 and os.path.isfile(source.path):
        raise OSError("the file has 0 bytes")
    pa = require("pyarrow", "lm")
    stream = pa.input_stream(raw, compression=source.compression, buffer_size=BUFFER_BYTES)
    return stack.enter_context(io.BufferedReader(stream, BUFFER_BYTES))


def split(stream: BinaryIO) -> Iterator[tuple[bytes | None, int]]:
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


def json_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        ValueError: it is none; the message is the reason.
    """
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(error)) from None
    except json.JSONDecodeError as error:
        reason = "blank line" if not line.strip() else f"invalid JSON: {error.msg} at character {error.pos}"
        raise ValueError(reason) from None
    except ValueError:
        raise ValueError("invalid JSON: a number has too many digits") from None
    except RecursionError:
        raise ValueError("invalid JSON: nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {json_type(value)}")
    return value


def json_objects(source: Source, what: str = "line") -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a source, each with its number, from 1.

    Raises:
        InputError: names the first ``what`` that is none, or says that the file is damaged.
    """
    number = 0
    with contextlib.ExitStack() as stack:
        try:
            stream = decompressed(opened(source, stack), source, stack)
            for number, (line, _) in enumerate(split(stream), 1):
                try:
                    if line is None:
                        raise ValueError(f"longer than {MAX_ROW_BYTES >> 20} MiB")
                    value = json_object(line)
                except ValueError as error:
                    raise InputError(f"path: {source.name!r}, {what} {number:,}: {error}") from None
                yield number, value
        except OSError as error:
            damaged(source, f"line {number:,}", 0, error)


def not_utf8(error: UnicodeDecodeError) -> str:
    """What is wrong with bytes that are no text."""
    return f"not UTF-8: {error.reason} at byte {error.start}"


def json_type(value: object) -> str:
    """What JSON calls a value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def damaged(
    source: Source, reached: str, position: int, error: Exception, remedy: str = "restore the file"
) -> NoReturn:
    """Tell a failing disk (has an errno) from a file that is not what its name says."""
    if isinstance(error, OSError) and error.errno is not None:
        raise type(error)(error.errno, os.strerror(error.errno), source.name) from error
    kind = source.compression or source.format
    where = f"after {reached}" + (f" (byte {position:,} of {source.size:,})" if position else "")
    detail = str(error).strip().partition("\n")[0]
    raise InputError(
        f"inputs: {source.name!r} is truncated or damaged {kind} {where}: {detail}; {remedy}"
    ) from error
