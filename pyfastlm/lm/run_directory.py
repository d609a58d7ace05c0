"""The directory of a training run: settings, log, and checkpoints that are always whole.

``settings.json`` is what the run was started with, ``log.jsonl`` its log, ``checkpoint-<step>/`` what a
caller writes of a step. A checkpoint is written beside, flushed to disk and renamed; older ones go only then.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files.job import refuse_difference

SETTINGS, LOG, LOCK = "settings.json", "log.jsonl", "lock"
TEMPORARY = ".tmp"
CHECKPOINT = re.compile(r"checkpoint-(\d{9})")


class RunDirectory:
    """An open, locked training directory; get one from :func:`locked`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / LOG

    def begin(self, settings: dict[str, Any], *, resume: bool) -> int:
        """The step to go on from: that of the newest checkpoint, or 0 for a fresh start.

        Raises:
            InputError: ``resume``, and the checkpoint here was made with other settings.
        """
        settings = json.loads(json.dumps(settings, default=str))
        for leftover in self.directory.glob(f"*{TEMPORARY}"):  # of a process that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        newest = newest_checkpoint(self.directory)
        if resume and newest is not None:
            refuse_difference(self._settings(), settings, f"{self.directory} holds a run")
            return step_of(newest)
        self._clear()
        with replacing(self.directory / SETTINGS, self.directory / f"{SETTINGS}{TEMPORARY}") as file:
            file.write(json.dumps(settings, indent=1).encode() + b"\n")
        return 0

    def write(self, step: int, fill: Callable[[Path], None], *, keep: Collection[int] = ()) -> None:
        """Make the checkpoint of ``step``, durably, of what ``fill`` puts into the directory it is given, and
        remove the older ones but those of the steps ``keep``.

        Raises:
            OSError: the disk is full, or the directory cannot be written; older checkpoints are intact.
        """
        temporary = self.directory / f"checkpoint{TEMPORARY}"
        try:
            temporary.mkdir()
            fill(temporary)
            for path in temporary.iterdir():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
            fsync_directory(temporary)
            temporary.rename(self.directory / f"checkpoint-{step:09d}")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        fsync_directory(self.directory)
        for older in checkpoints(self.directory)[:-1]:
            if step_of(older) not in keep:
                _remove(older)

    def _settings(self) -> dict[str, Any]:
        path = self.directory / SETTINGS
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"resume: cannot read {str(path)!r}; start afresh with resume=False") from error
        if not isinstance(found, dict):
            raise InputError(f"resume: {str(path)!r} holds no settings; start afresh with resume=False")
        return found

    def _clear(self) -> None:
        """Remove all of an earlier run."""
        for path in checkpoints(self.directory):
            _remove(path)
        for name in (SETTINGS, LOG):
            (self.directory / name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(out: "str | os.PathLike[str]", argument: str) -> Iterator[RunDirectory]:
    """Make or open the directory of a run and hold it alone; a dead process holds nothing.

    ``argument`` is what the caller's caller knows ``out`` by.

    Raises:
        InputError: the directory holds other things, cannot be made, or another process trains in it.
    """
    directory = Path(out)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(directory, argument)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        reason = f"cannot write to {str(directory)!r}: {error.strerror}"
        raise InputError(f"{argument}: {reason}; choose another directory") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"{argument}: another process trains in {str(directory)!r}; "
            "wait for it, or choose another directory"
        ) from error
    try:
        yield RunDirectory(directory)
    finally:
        os.close(descriptor)


def checkpoints(directory: Path) -> list[Path]:
    """Checkpoints of a training run, in the order of their steps."""
    return sorted(path for path in directory.iterdir() if CHECKPOINT.fullmatch(path.name))


def newest_checkpoint(directory: Path) -> Path | None:
    """The last checkpoint of a training run; None without any."""
    found = checkpoints(directory)
    return found[-1] if found else None


def step_of(checkpoint: Path) -> int:
    """The number of steps that a checkpoint is of."""
    return int(checkpoint.name.rpartition("-")[2])


def _remove(checkpoint: Path) -> None:
    """Remove it such that a kill never leaves half of it under its name."""
    trash = checkpoint.with_name(f"{checkpoint.name}{TEMPORARY}")
    checkpoint.rename(trash)
    shutil.rmtree(trash)


def _refuse_strangers(directory: Path, argument: str) -> None:
    for name in os.listdir(directory):
        if name in (SETTINGS, LOG, LOCK) or name.endswith(TEMPORARY) or CHECKPOINT.fullmatch(name):
            continue
        raise InputError(
            f"{argument}: {str(directory)!r} holds {name!r}, which is no part of a training run; "
            "choose another directory"
        )
