"""Answers kept in a file of JSON lines as they come, so that a killed run goes on and nobody is asked twice.

The first line says what the file is; each further one holds the answers to one batch, under the keys of
their prompts. A line is on the disk before the next batch is asked, and a last one without an end is of a
process that was killed: it is removed, and its batch asked again, whole.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pyfastlm._durable import fsync_directory
from pyfastlm.errors import InputError
from pyfastlm.preference.asking.completion import Completion

HEADER = b'{"pyfastlm preference answers": 1}\n'
KEY = re.compile(r"[0-9a-f]{32}")


class Cache:
    """An open file of answers, held alone; get one from :func:`opened`.

    Attributes:
        known: of the keys that were wanted, what was answered, before and by this process.
    """

    def __init__(self, path: Path | None = None, file: io.FileIO | None = None) -> None:
        self.known: dict[str, Completion] = {}
        self._path = path
        self._file = file

    def read(self, wanted: Collection[str]) -> None:
        """Take over what is there of ``wanted``, and remove a last line without an end.

        Raises:
            InputError: the file is something else, or damaged.
        """
        assert self._file is not None
        whole = 0
        # A reader of its own over the descriptor: closing it must leave the file open.
        with open(os.dup(self._file.fileno()), "rb") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and not HEADER.startswith(line):
                    raise InputError(f"cache: {str(self._path)!r} is no file of answers; choose another name")
                if not line.endswith(b"\n"):
                    break
                if number > 1:
                    self._take(line, number, wanted)
                whole += len(line)
        self._file.seek(whole)
        self._file.truncate()
        if not whole:
            self._write(HEADER)

    def keep(self, answers: Mapping[str, Completion]) -> None:
        """Add the answers to one batch; they are on the disk when this returns.

        Raises:
            OSError: the disk is full, or the file cannot be written.
        """
        self.known |= answers
        if self._file is not None:
            plain = {key: [answer.text, answer.finished] for key, answer in answers.items()}
            self._write(json.dumps({"answers": plain}).encode() + b"\n")

    def _take(self, line: bytes, number: int, wanted: Collection[str]) -> None:
        try:
            for key, value in json.loads(line)["answers"].items():
                text, finished = value
                if not KEY.fullmatch(key) or not isinstance(text, str) or not isinstance(finished, bool):
                    raise ValueError("no answer")
                if key in wanted:
                    self.known[key] = Completion(text, finished)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"cache: {str(self._path)!r} is damaged in line {number}; restore it, or choose another name"
            ) from error

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise type(error)(error.errno, os.strerror(error.errno or 0), str(self._path)) from error


@contextlib.contextmanager
def opened(path: "str | os.PathLike[str] | None", wanted: Collection[str]) -> Iterator[Cache]:
    """The answers in ``path``, made if need be, of the keys ``wanted``; without a path nothing is kept.

    A dead process holds nothing.

    Raises:
        InputError: it cannot be written, another process holds it, it is something else, or damaged.
    """
    if path is None:
        yield Cache()
        return
    target = Path(path)
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT, 0o666)
    except (OSError, ValueError) as error:
        raise InputError(f"cache: cannot write to {str(target)!r}: {error}") from error
    with io.FileIO(descriptor, "r+") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"cache: {str(target)!r} is no file; choose another name")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"cache: another process works with {str(target)!r}; wait for it, or choose another name"
            ) from error
        fsync_directory(target.parent)
        cache = Cache(target, file)
        cache.read(wanted)
        yield cache
