"""What engines have answered, kept in a directory while they are compared, so that a killed run goes on.

``answers.jsonl`` says in its first line what was asked, and then, a line at a time, what was answered. A line
is on the disk before the next rows are asked; one without an end is of a process that was killed.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pyfastlm._durable import fsync_directory
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex, normalize
from pyfastlm.index.normalize import Normalizer
from pyfastlm.qac.rows import Row

NAME = "answers.jsonl"
ASKED = "pyfastlm qac eval"  # key of the first line


class SavedAnswers:
    """Answers, fitted weights and the loss of fine-tuning: those of before, and those that come.

    Without a file nothing is saved, and nothing was. Get one from :func:`opened`.

    Attributes:
        directory: where it is saved, if it is.
        weights, loss: of rerankers by engine, and of fine-tuning, as before and by this process.
        tuned: fingerprint of the fine-tuned model, or nothing.
        answers, seconds, forms: of each engine, what was answered before, from the first row on, what that
            took, and in which form.
    """

    def __init__(self, path: Path | None = None, file: io.FileIO | None = None) -> None:
        self.directory = path and path.parent
        self.weights: dict[str, tuple[float, ...]] = {}
        self.loss: tuple[float, ...] = ()
        self.tuned = ""
        self.answers: dict[str, list[list[str]]] = {}
        self.seconds: dict[str, float] = {}
        self.forms: dict[str, Normalizer] = {}
        self._noted: dict[str, str] = {}
        self._path = path
        self._file = file
        self._waiting: list[dict[str, Any]] = []  # what the next answer depends on, to be written with it

    def expect(self, values: dict[str, str]) -> None:
        """Refuse other ``values``, by name, than those noted, if any.

        Raises:
            InputError: one is another.
        """
        for what, now in values.items():
            if (before := self._noted.get(what, now)) != now:
                _refuse_other(self._path, what, before, now)

    def note(self, values: dict[str, str]) -> None:
        """Keep values on which the answers from now on depend; refuse others than before.

        Raises:
            InputError: one is another.
        """
        self.expect(values)
        new = {what: value for what, value in values.items() if what not in self._noted}
        self._noted |= new
        self._waiting += [{"noted": what, "value": value} for what, value in new.items()]

    def answered(
        self, name: str, row: int, normalizer: Normalizer, answers: list[list[str]], seconds: float
    ) -> None:
        """Keep what an engine answered to the rows from ``row`` on."""
        self._append(
            {"engine": name, "row": row, "normalizer": normalizer, "answers": answers, "seconds": seconds}
        )

    def fitted(self, name: str, weights: tuple[float, ...]) -> None:
        """Keep the weights of a reranker."""
        self.weights[name] = weights
        self._append({"engine": name, "weights": weights})

    def fine_tuned(self, loss: tuple[float, ...], fingerprint: str) -> None:
        """Keep the loss of fine-tuning, and which model it gave.

        Raises:
            InputError: answers are there of another fine-tuned model.
        """
        if self.tuned not in ("", fingerprint):
            _refuse_other(self._path, "fine-tuned model", self.tuned, fingerprint)
        self.loss, self.tuned = loss, fingerprint
        self._append({"loss": loss, "fingerprint": fingerprint})

    def read(self, asked: dict[str, Any]) -> None:
        """Take over what the file holds, and remove a last line without an end.

        Raises:
            InputError: the file was made for something else than ``asked``, or is damaged.
        """
        assert self._file is not None
        asked = json.loads(json.dumps(asked, default=str))  # as it comes back from the file
        self._waiting = [{ASKED: asked}]
        first = f'{{"{ASKED}":'.encode()
        whole = 0
        for number, line in enumerate(io.BytesIO(self._file.readall()), 1):
            if number == 1 and line[: len(first)] != first[: len(line)]:
                raise InputError(f"saved: {str(self._path)!r} is not of qac eval; choose another directory")
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
                if number == 1:
                    self._compare(record[ASKED], asked)
                else:
                    self._take(record, asked["rows"][0])
            except InputError:
                raise
            except (ValueError, LookupError, RecursionError, TypeError) as error:
                raise InputError(
                    f"saved: {str(self._path)!r} is damaged in line {number}; choose another directory"
                ) from error
            self._waiting = []
            whole += len(line)
        self._file.seek(whole)
        self._file.truncate()

    def _compare(self, before: Any, asked: dict[str, Any]) -> None:
        if not isinstance(before, dict):
            raise ValueError("no description")
        for what, now in asked.items():
            if before.get(what) != now:
                _refuse_other(self._path, what, before.get(what), now)

    def _take(self, record: Any, rows: int) -> None:
        """Raises :class:`ValueError` where ``record`` is none that was written here."""
        match record:
            case {
                "engine": str(name),
                "row": int(row),
                "normalizer": str(form),
                "answers": [*answers],
                "seconds": float(seconds),
            } if form in normalize.NAMES and math.isfinite(seconds):
                known = self.answers.setdefault(name, [])
                terms = all(
                    isinstance(found, list) and all(isinstance(t, str) for t in found) for found in answers
                )
                if row != len(known) or row + len(answers) > rows or not terms:
                    raise ValueError("no answers")
                if self.forms.setdefault(name, form) != form:
                    raise ValueError("another normal form")
                known += answers
                self.seconds[name] = self.seconds.get(name, 0.0) + seconds
            case {"engine": str(name), "weights": [float(), float(), float()] as weights}:
                self.weights[name] = tuple(weights)
            case {"loss": [*loss], "fingerprint": str(tuned)} if all(isinstance(x, float) for x in loss):
                self.loss, self.tuned = tuple(loss), tuned
            case {"noted": str(what), "value": str(value)}:
                self._noted[what] = value
            case _:
                raise ValueError("no record")

    def _append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            return
        lines = "".join(json.dumps(line) + "\n" for line in [*self._waiting, record]).encode()
        try:
            while lines:
                lines = lines[self._file.write(lines) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise type(error)(error.errno, os.strerror(error.errno or 0), str(self._path)) from error
        self._waiting = []


@contextlib.contextmanager
def opened(
    directory: "str | os.PathLike[str] | None", describe: Callable[[], dict[str, Any]]
) -> Iterator[SavedAnswers]:
    """What is saved in ``directory``, which is made if need be, held alone; a dead process holds nothing.

    Raises:
        InputError: it cannot be written, another process holds it, it was made for something else than
            ``describe`` says, or it is damaged.
    """
    if directory is None:
        yield SavedAnswers()
        return
    path = Path(directory) / NAME
    if path.exists() and not path.is_file():
        raise InputError(f"saved: {str(path)!r} is no file; choose another directory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except (OSError, ValueError) as error:
        raise InputError(f"saved: cannot write to {str(path)!r}: {error}") from error
    with io.FileIO(descriptor, "r+") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"saved: another process works in {str(directory)!r}; wait for it, or choose another"
            ) from error
        fsync_directory(path.parent)
        saved = SavedAnswers(path, file)
        saved.read(describe())
        yield saved


def description(index: TermIndex, rows: Sequence[Row], k: int, seed: int) -> dict[str, Any]:
    """All that every answer and every number depends on; what differs first is named."""
    import pyfastlm

    terms = hashlib.blake2b(index.normalizer.encode(), digest_size=16)
    for term, score in index.complete("", max(1, len(index))):
        terms.update(f"{term!r} {score!r}\n".encode())
    return {
        "rows": [len(rows), digest(rows)],
        "index": [len(index), terms.hexdigest()],
        "k": k,
        "seed": seed,
        "pyfastlm": pyfastlm.__version__,
    }


def digest(rows: Sequence[Row]) -> str:
    """32 hexadecimal digits over all of the rows."""
    found = hashlib.blake2b(digest_size=16)
    for row in rows:
        found.update(ascii(tuple(row)).encode() + b"\n")
    return found.hexdigest()


def _refuse_other(path: Path | None, what: str, before: Any, now: Any) -> None:
    raise InputError(
        f"saved: {str(path)!r} was made with another {what} (then {before}, now {now}); "
        "give the same, or choose another directory"
    )
