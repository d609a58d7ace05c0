"""What runs on a Ray cluster: a task that reads, workers that score; and what they tell the driver."""

import os
import pickle
import platform
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pyfastlm._require import require
from pyfastlm._threads import ENVIRONMENT
from pyfastlm.errors import InputError, Unavailable
from pyfastlm.lm.files.engine import Identity, Place, planned, scored
from pyfastlm.lm.files.inputs import Source
from pyfastlm.lm.files.job import Job
from pyfastlm.lm.files.plan import Part
from pyfastlm.lm.files.readers import Reader

if TYPE_CHECKING:
    from pyfastlm.lm.scorer import Scorer

# Makes the scorer of a worker, on a device of torch. What it passes to its first argument reaches the driver
# before the scores of the part do that was being scored.
MakeScorer: TypeAlias = "Callable[[Callable[[Any], None], str], Scorer]"

KEPT_TOGETHER = 1024
MOST_ATTEMPTS = 5  # of a part; Ray itself would go on for ever
COLUMN = "message"


class Todo(NamedTuple):
    """From the reading task to a worker: a part that is to be scored."""

    place: Place
    part: Part


class Kept(NamedTuple):
    """From the reading task to the driver: parts that are saved already."""

    places: tuple[Place, ...]


class End(NamedTuple):
    """From the reading task to the driver: how many parts there are, or why there are no more."""

    parts: int
    error: Exception | None


class Done(NamedTuple):
    """From a worker to the driver: the table of a part, and what its scorer had to say."""

    place: Place
    scores: Any
    notes: list[Any]


class Failed(NamedTuple):
    """From a worker to the driver: it cannot load or use its model, or not on a part."""

    error: Exception


Message: TypeAlias = Todo | Kept | End | Done | Failed


def packed(message: Message) -> Any:
    """A table of one row, as Ray Data hands it on."""
    pa = require("pyarrow", "lm")
    return pa.table({COLUMN: pa.array([pickle.dumps(message)], pa.large_binary())})


def unpacked(table: Any) -> list[Message]:
    """The messages in the rows of a table."""
    return [pickle.loads(row.as_buffer()) for row in table[COLUMN]]


@dataclass(frozen=True, slots=True)
class Read:
    """The reading task: once through the inputs, to a message for each part that is to be scored.

    What is wrong with an input comes as the last message, so that all before it is scored first.
    """

    directory: Path
    sources: tuple[Source, ...]
    text_key: str
    tokens_per_batch: int

    def messages(self, start: Any) -> Iterator[Any]:
        """A table for each message, to be called by Ray Data with a block that says nothing."""
        yield from map(packed, self._messages())

    def _messages(self) -> Iterator[Message]:
        count, kept, error = 0, list[Place](), None
        try:
            reader = Reader(self.sources, self.text_key)
            for part, place, saved in planned(Job(self.directory), reader, self.tokens_per_batch):
                count += 1
                if saved is not None:
                    kept.append(place)
                if kept and (saved is None or len(kept) == KEPT_TOGETHER):
                    yield Kept(tuple(kept))
                    kept.clear()
                if saved is None:
                    yield Todo(place, part)
        except Exception as raised:
            error = portable(raised)
        if kept:
            yield Kept(tuple(kept))
        yield End(count, error)


class Attempts:
    """An actor beside the driver: how often the scoring of each part was begun."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        """Count once more."""
        self._begun[number] += 1
        return self._begun[number]


class Worker:
    """The actor of a worker: loads the model once and scores what it is handed.

    Args:
        make: a pickled :data:`MakeScorer`; it is unpickled here, where a failure can be told.
        identity: what the scorer has to be.
        threads: of torch and of native code.
        device: of torch, for the model.
        attempts: a handle of :class:`Attempts`. A part that kills its worker, for want of memory say, must
            not kill one after the other.
    """

    def __init__(self, make: bytes, identity: Identity, threads: int, device: str, attempts: Any) -> None:
        self._attempts = attempts
        self._notes: list[Any] = []
        self._failed: Failed | None = None
        try:
            os.environ[ENVIRONMENT] = str(threads)
            self._scorer = _made(make, self._notes.append, device)
            if torch := sys.modules.get("torch"):
                torch.set_num_threads(threads)
            _refuse_another(Identity.of(self._scorer), identity)
        except Exception as error:
            self._failed = Failed(portable(error))

    def __call__(self, table: Any) -> Any:
        """Answer the message in a table of one row; what is for the driver goes through."""
        (message,) = unpacked(table)
        return packed(self._answer(message) if isinstance(message, Todo) else message)

    def _answer(self, todo: Todo) -> Done | Failed:
        if self._failed:
            return self._failed
        if require("ray", "ray").get(self._attempts.begin.remote(todo.place.number)) > MOST_ATTEMPTS:
            return Failed(_given_up(todo))
        try:
            scores = scored(todo.part, self._scorer)
        except Exception as error:
            return Failed(portable(error))
        finally:
            notes = self._notes.copy()
            self._notes.clear()
        return Done(todo.place, scores, notes)


def _given_up(todo: Todo) -> Unavailable:
    first, last = todo.part.rows[0], todo.part.rows[-1]
    return Unavailable(
        f"ray: what is scored together from row {first.row:,} of input {first.source + 1:,} to row "
        f"{last.row:,} of input {last.source + 1:,} lost its worker {MOST_ATTEMPTS} times, maybe for want of "
        "memory; what is scored is kept"
    )


def portable(error: Exception) -> Exception:
    """``error`` as it can be sent, with a note where it was raised."""
    trace = "".join(traceback.format_exception(error))
    found: Exception
    try:
        found = pickle.loads(pickle.dumps(error))
    except Exception:
        found = RuntimeError(f"{type(error).__name__}: {error}")
    found.add_note(f"raised on {platform.node()}:\n{trace}")
    return found


def _made(make: bytes, note: Callable[[Any], None], device: str) -> "Scorer":
    try:
        found: Scorer = pickle.loads(make)(note, device)
        return found
    except Exception as error:
        raise InputError(
            f"scorer: the worker on {platform.node()} cannot load what the driver could: {error}; put it "
            "where all workers find it under the same name"
        ) from error


def _refuse_another(found: Identity, wanted: Identity) -> None:
    for name, here, there in zip(Identity._fields, found, wanted, strict=True):
        if here != there:
            raise InputError(
                f"scorer: the worker on {platform.node()} has another {name} ({here!r}) than the driver "
                f"({there!r}); give all machines the same model and the same version of pyfastlm"
            )
