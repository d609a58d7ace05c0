"""Train a copier: resumable, with its accuracy on sequences that it has not seen."""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm import run_log
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import RunDirectory, locked, newest_checkpoint, step_of
from pyfastlm.onion.checkpoints import load_model, save_model
from pyfastlm.onion.copying import sequence_loss
from pyfastlm.onion.model import CopierConfig, GRUCopier
from pyfastlm.onion.optimizer import adamw, load_moments, save_moments
from pyfastlm.onion.options import TrainingOptions
from pyfastlm.onion.scoring import exact, share
from pyfastlm.onion.sequences import Sequences
from pyfastlm.onion.task import RepeatTask

MODEL, MOMENTS, PROGRESS = "model.pt", "moments.pt", "training.json"
OPTIONS = TrainingOptions()
ROWS = 5000  # of validation that are run at once


@dataclass(frozen=True, slots=True)
class Logged:
    """``step`` counts the steps done; ``loss`` is the mean over those since the entry before, in nats a
    token, ``accuracy`` the share of validation sequences that are said rightly throughout (taught), ``lr``
    the rate of the last step."""

    step: int
    loss: float
    accuracy: float
    lr: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What a run came to.

    ``model`` is that of the end, in evaluation mode; ``log`` the entries, ``resumed_step`` how many steps
    earlier runs had done, ``seconds`` the wall time of all steps, without those of the accuracy.
    """

    model: GRUCopier
    log: tuple[Logged, ...]
    resumed_step: int
    seconds: float


def train(
    task: RepeatTask,
    size: int,
    directory: "str | os.PathLike[str] | None" = None,
    *,
    no_input: bool = False,
    options: TrainingOptions = OPTIONS,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> Trained:
    """Train a GRU to repeat the sequences of ``task``.

    With ``directory``, checkpoints are written there. Killed at any moment and called again with the same
    arguments, a run goes on from the last one and ends with the weights of an undisturbed run, to the last
    bit on a CPU with as many threads. A finished run is only loaded.

    Args:
        task: what it learns.
        size: N, of the state.
        directory: for ``settings.json``, ``log.jsonl`` and the newest checkpoint; None keeps nothing on disk.
        no_input: the decoder is not told what came before.
        options: of the training.
        seed: of the first weights and of the order of the batches.
        resume: go on with what is in ``directory``; False starts afresh and removes it.
        progress: a bar on standard error.

    Raises:
        InputError: a number is wrong, the loss is not finite, the directory is in use, or holds another run.

    Source: Csordás et al. (2024), section 3 and repository.
    """
    config = CopierConfig(size, task.n_symbols, task.min_len, task.max_len, no_input, seed)
    run = _Run(task, config, options)
    with _opened(directory) as opened:
        start = 0
        if opened is not None:
            settings = options.settings() | task.settings() | {"N": size, "no_input": no_input, "seed": seed}
            start = opened.begin(settings, resume=resume)
            if start:
                run.restore(opened)
            run_log.write(opened.log, run.log)
        stream = task.batches(options.batch_size, seed, start)
        for step in watched(range(start, options.steps), options.steps - start, "training", progress):
            run.step(step, next(stream))
            run.keep(opened, step + 1)
    return Trained(run.model.eval(), tuple(run.log), start, run.seconds)


@torch.no_grad()
def accuracy(model: GRUCopier, data: Sequences) -> float:
    """The share of sequences whose every token is the likeliest, given the true ones before it."""
    right = [
        exact(model(part.tokens, part.lengths).argmax(-1), part)
        for part in map(data.rows, torch.arange(len(data)).split(ROWS))
    ]
    return share(torch.cat(right)).share


class _Run:
    """A model on its way."""

    def __init__(self, task: RepeatTask, config: CopierConfig, options: TrainingOptions) -> None:
        self.model = GRUCopier(config).train()
        self._valid, self._options = task.valid, options
        self._optimizer = adamw(self.model, options.lr, options.weight_decay)
        self._losses: list[float] = []  # since the last entry
        self.log: list[Logged] = []
        self.seconds = 0.0

    def step(self, step: int, batch: Sequences) -> None:
        """Do step number ``step``, from 0."""
        started = time.perf_counter()
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.rate(step)
        loss = sequence_loss(self.model(batch.tokens, batch.lengths), batch.tokens, batch.lengths)
        value = float(loss.detach())
        if not math.isfinite(value):
            rate = self._options.lr
            raise InputError(f"lr: the loss is {value} at step {step + 1}; try a lower one than {rate}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self._losses.append(value)
        self.seconds += time.perf_counter() - started
        self.model.config = replace(self.model.config, steps=step + 1)

    def keep(self, run: RunDirectory | None, done: int) -> None:
        """Log and save where it is time to, after ``done`` steps."""
        options, last = self._options, done == self._options.steps
        if done % options.log_every == 0 or last:
            loss = sum(self._losses) / len(self._losses)
            self.log.append(Logged(done, loss, accuracy(self.model, self._valid), options.rate(done - 1)))
            self._losses = []
            if run is not None:
                run_log.append(run.log, self.log[-1])
        if run is not None and (done % options.checkpoint_every == 0 or last):
            run.write(done, self._fill)

    def _fill(self, target: Path) -> None:
        save_model(self.model, target / MODEL)
        save_moments(target / MOMENTS, self.model, self._optimizer)
        (target / PROGRESS).write_text(json.dumps({"losses": self._losses, "seconds": self.seconds}))

    def restore(self, run: RunDirectory) -> None:
        """Go on from the newest checkpoint."""
        path = newest_checkpoint(run.directory)
        assert path is not None
        found = load_model(path / MODEL)
        self.model.load_state_dict(found.state_dict())
        self.model.config = found.config
        load_moments(path / MOMENTS, self.model, self._optimizer)
        try:
            state = json.loads((path / PROGRESS).read_bytes())
            self._losses = [float(loss) for loss in state["losses"]]
            self.seconds = float(state["seconds"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = "start afresh with resume=False"
            raise InputError(f"resume: cannot read {str(path / PROGRESS)!r}; {reason}") from error
        self.log = run_log.read(run.log, step_of(path), Logged)


@contextlib.contextmanager
def _opened(directory: "str | os.PathLike[str] | None") -> Iterator[RunDirectory | None]:
    if directory is None:
        yield None
        return
    with locked(directory, "directory") as run:
        yield run
