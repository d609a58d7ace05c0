"""What models wrote, kept in a file: asked once, it is never asked again."""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath

VERSION = 1
TABLES = """
CREATE TABLE IF NOT EXISTS written (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models (source TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) WITHOUT ROWID;
"""
AT_ONCE = 500  # keys of one question; SQLite allows 999 in old versions


class Cache:
    """Texts by key in an SQLite file, which several processes may use.

    Also remembers the fingerprints of models in directories, so that what was asked of one is found without
    loading it; a directory counts as the same while names, sizes and times of its files stay.

    Args:
        path: of the file; it is made where it is not there.

    Raises:
        InputError: it cannot be opened, or is something else.
    """

    def __init__(self, path: StrPath) -> None:
        self._path = os.fspath(path)
        with self._opened() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            known = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version != VERSION and (version or known):
                raise InputError(f"cache: {self._path!r} is no cache of this version; choose another file")
            database.executescript(TABLES)
            database.execute(f"PRAGMA user_version = {VERSION}")

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        """Texts of those keys that are there."""
        found: dict[str, str] = {}
        with self._opened() as database:
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                found |= database.execute(f"SELECT key, text FROM written WHERE key IN ({marks})", some)
        return found

    def put(self, texts: Mapping[str, str]) -> None:
        """Keep texts; they are on the disk when this returns."""
        with self._opened() as database, database:
            database.executemany("INSERT OR REPLACE INTO written VALUES (?, ?)", [*texts.items()])

    def fingerprint(self, directory: Path) -> str | None:
        """Of the model in a directory, if it was remembered and no file has changed."""
        with self._opened() as database:
            row = database.execute(
                "SELECT fingerprint FROM models WHERE source = ?", (_source(directory),)
            ).fetchone()
        return None if row is None else str(row[0])

    def remember(self, directory: Path, fingerprint: str) -> None:
        """Keep the fingerprint of the model in a directory."""
        with self._opened() as database, database:
            database.execute("INSERT OR REPLACE INTO models VALUES (?, ?)", (_source(directory), fingerprint))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=60)) as database:
                yield database
        except sqlite3.Error as error:
            raise InputError(f"cache: cannot use {self._path!r}: {error}") from error


def key(*parts: object) -> str:
    """64 hexadecimal digits over the parts."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def _source(directory: Path) -> str:
    home = directory.resolve()
    files = [(path, path.stat()) for path in sorted(home.iterdir()) if path.is_file()]
    return key(str(home), [(path.name, status.st_size, status.st_mtime_ns) for path, status in files])
