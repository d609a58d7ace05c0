"""Scores a job on a Ray cluster: Ray Data hands parts to workers, and the driver saves what comes back."""

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from pyfastlm.errors import Unavailable
from pyfastlm.lm.files import lines, parts
from pyfastlm.lm.files.engine import Identity, Place, Step
from pyfastlm.lm.files.inputs import STDIN, Source
from pyfastlm.lm.files.job import TEMPORARY, Job
from pyfastlm.lm.files.ray_cluster import connected, warn_of_waiting
from pyfastlm.lm.files.ray_options import RayOptions
from pyfastlm.lm.files.ray_worker import (
    Attempts,
    Done,
    End,
    Failed,
    Kept,
    MakeScorer,
    Message,
    Read,
    Worker,
    unpacked,
)
from pyfastlm.lm.files.readers import Reader


class OnRay:
    """Scores on the workers of a Ray cluster, as many parts at a time.

    A task on the driver's machine reads the inputs, so that they need not be seen elsewhere, and documents
    travel as blocks of Ray Data, a part in each: it starts the workers, hands on, holds the reading back
    while workers are busy, and hands on again what was on a worker or a machine that is lost. The driver
    alone writes, under the lock of the job, so that a part comes once whatever is scored twice, and a worker
    whose driver died can spoil nothing. What Ray gives up is done in another round, as by a driver that was
    restarted.

    Args:
        identity: of the scorer.
        make: makes it on a worker; one that is another is refused.
        options: the cluster and its workers.
        note: gets what scorers pass to theirs, before the scores of the same part are saved.
    """

    def __init__(
        self,
        identity: Identity,
        make: MakeScorer,
        options: RayOptions,
        note: Callable[[Any], None] | None = None,
    ) -> None:
        self.identity = identity
        self._make, self._options, self._note = make, options, note

    def steps(self, job: Job, reader: Reader) -> Generator[Step, None, None]:
        """See :meth:`pyfastlm.lm.files.engine.Engine.steps`.

        Raises:
            Unavailable: the cluster cannot run the job; what is scored is kept.
        """
        sources = tuple(_readable(source, number, job) for number, source in enumerate(reader.sources))
        read = Read(job.directory.absolute(), sources, reader.text_key, self.identity.tokens_per_batch)
        turns = _Turns()
        with connected(self._options) as ray:
            warn_of_waiting(ray, self._options)
            while not turns.over:
                before = turns.known
                try:
                    for message in self._messages(ray, read):
                        self._take(message, turns, job)
                        yield from turns.ready(job)
                except ray.exceptions.RayError as error:
                    lost: Exception | None = error
                else:
                    lost = None
                if not turns.over and turns.known == before:
                    why = str(lost or "parts were lost").strip().partition("\n")[0]
                    raise Unavailable(f"ray: {why}; what is scored is kept") from lost

    def _messages(self, ray: Any, read: Read) -> Iterator[Message]:
        """What comes back from one round, in any order."""
        data, options = ray.data, self._options
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        size = {"min_size": options.least, "max_size": options.most}
        context = data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = -1  # a long document may take hours
        context.target_max_block_size = 1  # a message is a block of its own
        with data.DataContext.current(context):
            # No CPU for what is on the driver's machine: workers may have them all.
            attempts = ray.remote(num_cpus=0, label_selector=here)(Attempts).remote()
            messages = data.from_items([None]).map_batches(
                read.messages, batch_format="pyarrow", num_cpus=0, label_selector=here
            )
            answers = messages.map_batches(
                Worker,
                fn_constructor_kwargs={
                    "make": ray.cloudpickle.dumps(self._make),
                    "identity": self.identity,
                    "threads": options.cpus_per_worker,
                    "device": "cuda" if options.gpus_per_worker else "cpu",
                    "attempts": attempts,
                },
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=options.cpus_per_worker,
                num_gpus=options.gpus_per_worker or None,
                compute=data.ActorPoolStrategy(**size),
            )
            blocks = answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
            for block in blocks:
                yield from unpacked(block)

    def _take(self, message: Message, turns: "_Turns", job: Job) -> None:
        match message:
            case Done(place, scores, notes):
                if self._note:
                    for note in notes:
                        self._note(note)
                parts.save(scores, job.directory / place.file)
                turns.add(place, resumed=False)
            case Kept(places):
                for place in places:
                    turns.add(place, resumed=True)
            case End():
                turns.end = message
            case Failed(error):
                raise error


class _Turns:
    """Parts that are saved, in whatever order that happened, given out in that of the inputs."""

    def __init__(self) -> None:
        self.end: End | None = None
        self.known = 0
        self._next = 0
        self._waiting: dict[int, tuple[Place, bool]] = {}

    @property
    def over(self) -> bool:
        """Whether all parts have been given out."""
        return self.end is not None and self._next >= self.end.parts

    def add(self, place: Place, *, resumed: bool) -> None:
        """Note that a part is saved; the second time changes nothing."""
        if place.number >= self._next and place.number not in self._waiting:
            self._waiting[place.number] = place, resumed
            self.known += 1

    def ready(self, job: Job) -> Iterator[Step]:
        """Those whose turn it is.

        Raises:
            InputError, OSError: after the last, what was wrong with the inputs.
        """
        while found := self._waiting.pop(self._next, None):
            self._next += 1
            place, resumed = found
            scores = parts.load(job.directory / place.file)
            if scores is None:
                raise OSError(f"{job.directory / place.file} was damaged or removed meanwhile; run again")
            yield Step(place, scores, resumed)
        if self.over and self.end and self.end.error:
            raise self.end.error


def _readable(source: Source, number: int, job: Job) -> Source:
    """``source`` for another process of this machine; what can be read only once is copied first."""
    if source.path != STDIN and os.path.isfile(source.path):
        return replace(source, path=os.path.abspath(source.path))
    copy = (job.directory / f"input{number}{TEMPORARY}").absolute()
    with contextlib.ExitStack() as stack:
        shutil.copyfileobj(lines.opened(source, stack), stack.enter_context(open(copy, "wb")))
    return replace(source, path=str(copy), size=copy.stat().st_size)
