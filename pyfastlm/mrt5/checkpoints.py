"""The directory of a training run: settings, log, and one checkpoint that is always whole.

``out/settings.json`` is what the run was started with, ``out/log.jsonl`` its log, ``out/checkpoint-<step>/``
the newest checkpoint: a model as ``save_pretrained`` writes it, and the state of its training. A checkpoint
is written beside, flushed to disk and renamed; the older one goes only then. Nothing of randomness or of the
place in the data is kept, because both are functions of seed and step.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files.job import refuse_difference
from pyfastlm.lm.loading import quiet

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

SETTINGS, LOG, LOCK = "settings.json", "log.jsonl", "lock"
OPTIMIZER, STATE = "optimizer.pt", "training.json"
TEMPORARY = ".tmp"
CHECKPOINT = re.compile(r"checkpoint-(\d{9})")


class Run:
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
            found = json.loads((self.directory / SETTINGS).read_bytes())
            refuse_difference(found, settings, f"{self.directory} holds a run")
            return _step(newest)
        self._clear()
        with replacing(self.directory / SETTINGS, self.directory / f"{SETTINGS}{TEMPORARY}") as file:
            file.write(json.dumps(settings, indent=1).encode() + b"\n")
        return 0

    def save(
        self,
        step: int,
        model: "MrT5ForConditionalGeneration",
        optimizer: torch.optim.Optimizer,
        state: dict[str, Any],
    ) -> None:
        """Write the checkpoint of ``step``, durably, and remove the one before.

        Raises:
            OSError: the disk is full, or the directory cannot be written; the checkpoint before is intact.
        """
        temporary = self.directory / f"checkpoint{TEMPORARY}"
        try:
            temporary.mkdir()
            with quiet():
                model.save_pretrained(temporary)
            torch.save(optimizer.state_dict(), temporary / OPTIMIZER)
            (temporary / STATE).write_text(json.dumps(state), "utf-8")
            for path in temporary.iterdir():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
            fsync_directory(temporary)
            temporary.rename(self.directory / f"checkpoint-{step:09d}")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        fsync_directory(self.directory)
        for older in _checkpoints(self.directory)[:-1]:
            _remove(older)

    def load(self, model: "MrT5ForConditionalGeneration", optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Put the newest checkpoint into model and optimiser; the state that :meth:`save` was given."""
        path = newest_checkpoint(self.directory)
        assert path is not None
        with quiet():
            model.load_state_dict(type(model).from_pretrained(path).state_dict())
        optimizer.load_state_dict(torch.load(path / OPTIMIZER, map_location=model.device, weights_only=True))
        state: dict[str, Any] = json.loads((path / STATE).read_bytes())
        return state

    def _clear(self) -> None:
        """Remove all of an earlier run."""
        for path in _checkpoints(self.directory):
            _remove(path)
        for name in (SETTINGS, LOG):
            (self.directory / name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(out: "str | os.PathLike[str]") -> Iterator[Run]:
    """Make or open the directory of a run and hold it alone; a dead process holds nothing.

    Raises:
        InputError: the directory holds other things, cannot be made, or another process trains in it.
    """
    directory = Path(out)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(directory)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        reason = f"cannot write to {str(directory)!r}: {error.strerror}"
        raise InputError(f"out: {reason}; choose another directory") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"out: another process trains in {str(directory)!r}; wait for it, or choose another directory"
        ) from error
    try:
        yield Run(directory)
    finally:
        os.close(descriptor)


def newest_checkpoint(directory: Path) -> Path | None:
    """The last checkpoint of a training run, a directory that ``from_pretrained`` takes; None without any."""
    found = _checkpoints(directory)
    return found[-1] if found else None


def _checkpoints(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if CHECKPOINT.fullmatch(path.name))


def _remove(checkpoint: Path) -> None:
    """Remove it such that a kill never leaves half of it under its name."""
    trash = checkpoint.with_name(f"{checkpoint.name}{TEMPORARY}")
    checkpoint.rename(trash)
    shutil.rmtree(trash)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _refuse_strangers(directory: Path) -> None:
    for name in os.listdir(directory):
        if name in (SETTINGS, LOG, LOCK) or name.endswith(TEMPORARY) or CHECKPOINT.fullmatch(name):
            continue
        raise InputError(
            f"out: {str(directory)!r} holds {name!r}, which is no part of a training run; "
            "choose another directory"
        )
