"""Results of trainings as lines of JSON, each with the key of what it is of."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath

T = TypeVar("T")


class Log(Generic[T]):
    """Results by key, on the disk as soon as they are there. A line that a kill has torn is cut off.

    Args:
        path: of the file; it is made where it is not there. None keeps results in memory.
        read: makes a result of the fields of a line.
        fields: of a result, as JSON has them.

    Raises:
        InputError: the file has lines of another kind.
    """

    def __init__(
        self,
        path: StrPath | None,
        read: Callable[[dict[str, Any]], T],
        fields: Callable[[T], dict[str, Any]],
    ) -> None:
        self._path = None if path is None else Path(path)
        self._fields = fields
        self._results: dict[str, T] = {}
        if self._path is not None and self._path.exists():
            self._read(self._path, read)

    def get(self, key: str) -> T | None:
        """The result of a key, if there is one."""
        return self._results.get(key)

    def put(self, key: str, result: T) -> None:
        """Keep a result.

        Raises:
            OSError: the file cannot be written.
        """
        self._results[key] = result
        if self._path is not None:
            line = json.dumps({"key": key, **self._fields(result)}, ensure_ascii=False)
            with open(self._path, "ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _read(self, path: Path, read: Callable[[dict[str, Any]], T]) -> None:
        whole = path.read_bytes()
        complete = whole[: whole.rfind(b"\n") + 1]
        for number, line in enumerate(complete.split(b"\n")[:-1], 1):
            try:
                fields = json.loads(line)
                key = fields.pop("key")
                self._results[key] = read(fields)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                name = repr(str(path))
                raise InputError(f"log: {name}, line {number}: no result; choose another file") from None
        if len(complete) < len(whole):
            os.truncate(path, len(complete))
