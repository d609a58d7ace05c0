"""The directory ``<output>.parts`` of an unfinished job: who may work in it, and what belongs to it.

``job.json`` is written before the first part and removed right after the output has appeared, so it is
there exactly while a job is unfinished.
"""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory, replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files import parts

MANIFEST = "job.json"
LOCK = "lock"
TEMPORARY = ".tmp"
START_AFRESH = "start afresh with resume=False (--no-resume)"


class Job:
    """An open, locked job directory; get one from :func:`locked`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.replaces = False

    def continues(self, description: dict[str, Any]) -> bool:
        """Whether an unfinished job is here to go on with; refuses one of another description."""
        if not self.part_names():
            return False  # nothing to lose, whatever was begun here
        try:
            found = json.loads((self.directory / MANIFEST).read_bytes())
        except FileNotFoundError:
            return False
        refuse_difference(found["description"], description, f"{self.directory} holds an unfinished job")
        self.replaces = bool(found["replaces"])
        return True

    def begin(self, description: dict[str, Any], *, replaces: bool) -> None:
        """Start with no parts; ``replaces`` allows the output to be overwritten at the end."""
        self.clear()
        self.replaces = replaces
        with replacing(self.directory / MANIFEST, self.directory / f"job{TEMPORARY}") as file:
            file.write(json.dumps({"description": description, "replaces": replaces}, indent=1).encode())

    def part_names(self) -> set[str]:
        """Names of the parts on disk."""
        return {name for name in os.listdir(self.directory) if name.endswith(parts.SUFFIX)}

    def clear(self) -> None:
        """Remove everything a job leaves, the manifest first: what is without one is nobody's."""
        with contextlib.suppress(FileNotFoundError):
            (self.directory / MANIFEST).unlink()
            fsync_directory(self.directory)
        for name in os.listdir(self.directory):
            if name.endswith((parts.SUFFIX, TEMPORARY)):
                os.unlink(self.directory / name)

    def remove(self) -> None:
        """Remove the directory and all that a job leaves in it."""
        self.clear()
        (self.directory / LOCK).unlink()
        try:
            self.directory.rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # then the next process has just taken it over
                raise
        fsync_directory(self.directory.parent)


@contextlib.contextmanager
def locked(output: Path) -> Iterator[Job]:
    """Create or open the job directory of ``output`` and hold it alone; a dead process holds nothing.

    A job that failed before it saved anything leaves no directory behind.

    Raises:
        InputError: another process works on this output, or the directory's name is taken by something else.
    """
    directory = output.with_name(output.name + ".parts")
    descriptor = _lock(directory)
    job = Job(directory)
    try:
        yield job
    except BaseException:
        with contextlib.suppress(OSError):
            if not job.part_names():
                job.remove()
        raise
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    path = directory / LOCK
    while True:
        try:
            directory.mkdir(exist_ok=True)
            _refuse_strangers(directory)
            # A file of its own, open for writing: network file systems lock nothing else.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            if directory.parent.is_dir():
                continue  # its owner has just finished and removed it
            raise
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError(f"output: {str(directory)!r} is in the way; remove or rename it") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The owner may have removed the file between open and lock.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
            os.close(descriptor)
        except FileNotFoundError:
            os.close(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise InputError(
                f"output: another process is working in {str(directory)!r}; "
                "wait for it, or choose another output"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise type(error)(error.errno, os.strerror(error.errno or 0), str(path)) from error


def _refuse_strangers(directory: Path) -> None:
    for name in os.listdir(directory):
        if name not in (MANIFEST, LOCK) and not name.endswith((parts.SUFFIX, TEMPORARY)):
            raise InputError(
                f"output: {str(directory)!r} holds {name!r}, which is no part of a job; "
                "remove or rename that directory"
            )


def refuse_difference(found: dict[str, Any], wanted: dict[str, Any], what: str) -> None:
    """Raise :class:`InputError` naming the first setting in which two jobs differ."""
    for name in wanted:
        before, now = found.get(name), wanted[name]
        if before == now:
            continue
        if name == "inputs":
            differs = f"other inputs (now {_inputs_differ(before or [], now)})"
        else:
            differs = f"another {name} (then {before!r}, now {now!r})"
        raise InputError(f"resume: {what} with {differs}; give the same, or {START_AFRESH}")


def _inputs_differ(before: list[str], now: list[str]) -> str:
    changes = [f"without {name!r}" for name in before if name not in now][:1]
    changes += [f"with {name!r}" for name in now if name not in before][:1]
    return " and ".join(changes) or "in another order"
