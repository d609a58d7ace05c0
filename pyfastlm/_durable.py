"""Files that appear whole or not at all: write beside, fsync, rename, fsync the directory."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path, temporary: Path) -> Iterator[BinaryIO]:
    """Open ``temporary`` for writing; rename it to ``path`` when the block ends well, else remove it.

    Both must be on one file system. After a crash ``path`` is what it was, or complete.

    Raises:
        OSError: the disk is full, or the directory cannot be written; carries the name ``path``.
    """
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        fsync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        _named(error, path)
        raise


def _named(error: BaseException, path: Path) -> None:
    """Raise ``error`` of the system again, about ``path`` in place of what was written beside it."""
    if isinstance(error, OSError) and error.errno is not None:
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error


def fsync_directory(path: Path) -> None:
    """Make renames and removals inside ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """A directory for files, which becomes ``target`` when the block ends well, else is removed.

    Raises:
        OSError: the disk is full, or the directory cannot be written; carries the name ``target``.
    """
    above = target.absolute().parent
    temporary = above / f".{target.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir()
        yield temporary
        for path in temporary.iterdir():
            if path.is_file():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
        fsync_directory(temporary)
        temporary.rename(target)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _named(error, target)
        raise
    fsync_directory(above)
