"""What a long run has found so far, a line at a time, so that it goes on after ``kill -9``."""

import json
import os
from pathlib import Path
from typing import Any


class Ledger:
    """Values by key, kept in ``path``; a line is on the disk before :meth:`put` returns.

    The first line says what the run is of; a file of another run is refused.
    """

    def __init__(self, path: Path, asked: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whole = path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]  # the rest is of a process that was killed
        os.truncate(path, len(whole))
        lines = [json.loads(line) for line in whole.splitlines()]
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        asked = json.loads(json.dumps(asked))
        if not lines:
            self._write(asked)
        elif lines[0] != asked:
            raise SystemExit(
                f"{path} is of another run:\n{lines[0]}\nnot of\n{asked}\nremove it, or ask for that"
            )
        self._values: dict[str, Any] = dict(lines[1:])

    def get(self, key: str) -> Any:
        """The value of ``key``, or None."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> Any:
        """Keep ``value``; returns it."""
        self._values[key] = value
        self._write([key, value])
        return value

    def _write(self, record: Any) -> None:
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        if self._file.write(line) != len(line):
            raise OSError("the disk is full")
        os.fsync(self._file.fileno())
