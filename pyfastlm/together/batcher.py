"""Calls from several threads, decoded together: whoever waits may do a step for all."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyfastlm.lm.encoding import common_prefix
from pyfastlm.lm.growing import Extension, read
from pyfastlm.lm.prefix import MIN_SHARED
from pyfastlm.lm.prefix_cache import PrefixCache
from pyfastlm.lm.runner import Runner
from pyfastlm.together.scoring import Question, score
from pyfastlm.together.segments import Choice
from pyfastlm.together.weights import Weights
from pyfastlm.together.writer import Writer

READ_AT_ONCE = 512  # tokens of one sequence


@dataclass(eq=False)
class _Job:
    writer: Writer
    begun: bool = False
    hidden: Tensor | None = None  # [D], of the last token read
    error: Exception | None = None
    done: bool = False  # for other threads: set between steps, as in a step no writer may have a segment

    @property
    def complete(self) -> bool:
        """For the thread that does the step."""
        return self.error is not None or (self.begun and self.writer.segment is None)

    def go_on(self, step: Callable[..., None], *word: Tensor) -> None:
        """Do a step of the writer; what goes wrong in it concerns nobody else."""
        try:
            step(*word)
        except Exception as error:
            self.error = error


class Batcher:
    """Runs writers to their end, up to ``batch_size`` together, all with the same weights.

    There is no thread of its own: one of the calling threads does steps until its own answer is complete.

    Args:
        weights: that calls can name.
        cache: for the starts of prompts.
        batch_size: sequences that are decoded together at most.

    Attributes:
        seconds: spent in steps.
    """

    def __init__(self, weights: Weights, cache: PrefixCache, batch_size: int) -> None:
        self._weights, self._cache, self._size = weights, cache, batch_size
        self._turn = threading.Condition()
        self._busy = False
        self._waiting: list[_Job] = []
        self._active: list[_Job] = []
        self.seconds = 0.0

    def run(self, writers: Sequence[Writer]) -> None:
        """Complete some answers, together with what other threads ask for.

        Raises:
            Exception: what went wrong with an answer, or with a step of the model; every call that was in
                such a step gets this.
        """
        jobs = [_Job(writer) for writer in writers]
        with self._turn:
            self._waiting += jobs

        def over() -> bool:
            return all(job.done for job in jobs)

        try:
            if self._seize(over):
                try:
                    while not over():
                        self._step()
                finally:
                    self._release()
        finally:  # of an interrupted call nothing must be left
            with self._turn:
                self._waiting = [job for job in self._waiting if job not in jobs]
                self._active = [job for job in self._active if job not in jobs]
        for job in jobs:
            if job.error is not None:
                raise job.error

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """The model for oneself, between two steps of others."""
        self._seize(lambda: False)
        try:
            yield
        finally:
            self._release()

    def _seize(self, over: Callable[[], bool]) -> bool:
        """Wait for the model; False if there is nothing to do with it any more."""
        with self._turn:
            self._turn.wait_for(lambda: over() or not self._busy)
            if over():
                return False
            self._busy = True
            return True

    def _release(self) -> None:
        with self._turn:
            self._busy = False
            self._turn.notify_all()

    def _step(self) -> None:
        """One more word of the model for each active call."""
        started = time.perf_counter()
        self._admit()
        try:
            with self._weights.using(self._active[0].writer.call.model_id) as runner, torch.inference_mode():
                jobs = self._begun()
                self._read(runner, jobs)
                # Settled before anybody is asked: whoever goes on has something to read first.
                choosing = [job for job in jobs if isinstance(job.writer.segment, Choice)]
                self._ask_tokens(runner, [job for job in jobs if job not in choosing])
                self._ask_choices(runner, choosing)
        except Exception as error:  # every caller has to learn of it
            for job in self._active:
                job.error = error
        self.seconds += time.perf_counter() - started
        with self._turn:
            for job in self._active:
                job.done = job.complete
            if any(job.done for job in self._active):
                self._active = [job for job in self._active if not job.done]
                self._turn.notify_all()

    def _admit(self) -> None:
        with self._turn:
            for job in [*self._waiting]:
                model_id = (self._active or [job])[0].writer.call.model_id
                if len(self._active) < self._size and job.writer.call.model_id == model_id:
                    self._waiting.remove(job)
                    self._active.append(job)

    def _begun(self) -> list[_Job]:
        """Jobs to be read now: a new prompt waits for another one that starts alike, to use its keys then."""
        fresh: list[_Job] = []
        for job in self._active:
            if job.begun:
                continue
            writer = job.writer
            owner = writer.call.model_id
            known = self._cache.known(owner, writer.prompt)
            shared = max((common_prefix(other.writer.prompt, writer.prompt) for other in fresh), default=0)
            if shared - known >= MIN_SHARED and self._cache.capacity >= shared:
                continue
            # The last token is always read: what the model says after it is not kept.
            self._cache.restore(owner, writer.prompt[:-1], writer.keys)
            job.begun = True
            job.go_on(writer.begin)
            fresh.append(job)
        return [job for job in self._active if job.begun and not job.complete]

    def _read(self, runner: Runner, jobs: Sequence[_Job]) -> None:
        """Read all that is pending; keep the keys of prompts."""
        left = list(jobs)
        while left:
            taken: list[Extension] = []
            for job in left:
                tokens = job.writer.pending[:READ_AT_ONCE]
                if taken and sum(len(each.tokens) for each in taken) + len(tokens) > runner.budget:
                    break
                taken.append(Extension(job.writer.keys, tokens))
            rows = read(runner, taken).split([len(each.tokens) for each in taken])
            for job, of_job, each in zip(left, rows, taken, strict=False):
                job.hidden = of_job[-1]
                del job.writer.pending[: len(each.tokens)]
            left = [job for job in left if job.writer.pending]
        for job in jobs:
            if not job.writer.cached:
                job.writer.cached = True
                self._cache.insert(job.writer.call.model_id, job.writer.keys, len(job.writer.prompt))

    def _ask_tokens(self, runner: Runner, jobs: Sequence[_Job]) -> None:
        if jobs:
            hidden = torch.stack([job.hidden for job in jobs if job.hidden is not None])
            for job, logits in zip(jobs, runner.head.logits(hidden), strict=True):
                job.go_on(job.writer.take, logits)

    def _ask_choices(self, runner: Runner, jobs: Sequence[_Job]) -> None:
        """Score all options of all choices in one pass."""
        questions = [
            Question(job.writer.keys, job.hidden, job.writer.options(), job.writer.call.per_token)
            for job in jobs
            if job.hidden is not None
        ]
        if questions:
            for job, logprobs in zip(jobs, score(runner, questions), strict=True):
                job.go_on(job.writer.choose, logprobs)
