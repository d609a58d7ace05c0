"""Training of a byte-level T5 with or without a delete gate."""

import contextlib
import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.lm import run_log
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import newest_checkpoint
from pyfastlm.mrt5.checkpoints import Run, locked
from pyfastlm.mrt5.controller import DeletionController
from pyfastlm.mrt5.examples import Data, collate
from pyfastlm.mrt5.log import Logged, Sums
from pyfastlm.mrt5.options import TrainOptions, settings
from pyfastlm.mrt5.order import Order
from pyfastlm.mrt5.regularizers import Kind, regularizer

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration
    from pyfastlm.mrt5.output import MrT5Output

MAX_NORM = 1.0  # of the gradient; the default of the Hugging Face Trainer, on which the original is built


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """What a run came to.

    ``log`` holds its entries, ``checkpoint`` is the directory of the last one (``from_pretrained`` takes it;
    None without ``out``), ``controller`` a copy of the given one as it ended, ``resumed_step`` how many steps
    earlier runs had done, ``seconds`` the wall time of all runs together.
    """

    steps: int
    log: tuple[Logged, ...]
    checkpoint: Path | None
    controller: DeletionController | None
    resumed_step: int
    seconds: float


def train(
    model: "MrT5ForConditionalGeneration",
    data: Data,
    *,
    steps: int,
    batch_size: int,
    accumulate: int = 1,
    lr: float = 1e-4,
    controller: DeletionController | None = None,
    regularizer: Kind = "gate_mean",
    hard_delete_probability: float = 0.0,
    out: "str | os.PathLike[str] | None" = None,
    resume: bool = True,
    seed: int = 0,
    log_every: int = 100,
    save_every: int = 1000,
    progress: bool = False,
) -> TrainResult:
    """Train ``model`` in place: AdamW without weight decay, linear decay without warm-up.

    loss = cross entropy + alpha * regularizer, alpha from the controller, which sees what the gates of each
    training micro-batch deleted (``output.keep``) and nothing else. Deletion is soft but in the steps that
    ``hard_delete_probability`` draws, where the gate learns nothing from the cross entropy. The gradient of a
    step is the mean of those of its micro-batches, clipped to norm 1.

    A model that pools has no controller: loss = cross entropy, and with ``boundary`` + ``boundary_loss``.

    With ``out``, a checkpoint is written there every ``save_every`` steps and at the end. Killed at any
    moment and called again with the same arguments, training goes on from the last one, and ends with the
    weights of an undisturbed run, to the last bit if the number of threads is the same: what is random is a
    function of ``seed`` and the step. A finished run is recognised, and only loaded.

    Args:
        model: on any device; its mode (train or eval) is put back at the end.
        data: :class:`~pyfastlm.mrt5.corruption.SpanCorruption` data, a diagnostic, or listed examples.
        steps: of the optimiser.
        batch_size: examples of a micro-batch.
        accumulate: micro-batches of a step.
        lr: learning rate of the first step; falls linearly and would reach 0 at step ``steps``.
        controller: sets alpha, of a gate that learns; None for no regulariser. It is copied: see
            ``TrainResult.controller``.
        regularizer: see :func:`pyfastlm.mrt5.regularizers.regularizer`.
        hard_delete_probability: fraction of the steps with hard deletion.
        out: directory for checkpoints and ``log.jsonl``; None keeps nothing on disk.
        resume: go on with what is in ``out``; False starts afresh and removes it.
        seed: of the order of examples, dropout, gate noise, boundaries and the choice of steps with hard
            deletion.
        log_every: steps between two entries of the log.
        save_every: steps between two checkpoints.
        progress: a bar on standard error.

    Raises:
        InputError: an argument is out of range; the loss is not finite; ``out`` is in use, or holds a run
            with other settings (the message says which).
        OSError: a checkpoint cannot be written, e.g. the disk is full; the one before is intact.

    Source: Kallini et al. (2024), sections 3 and 4; ``train.py`` and ``training/trainer.py`` of the original.
    """
    options = TrainOptions(
        steps, batch_size, accumulate, lr, regularizer, hard_delete_probability, seed, log_every, save_every
    )
    options.check(model, data, controller)
    with _opened(out) as run:
        training = _Training(model, data, options, copy.deepcopy(controller))
        start = 0
        if run is not None:
            start = run.begin(settings(options, model, data, controller), resume=resume)
            if start:
                training.restore(run.load(model, training.optimizer), run_log.read(run.log, start, Logged))
            run_log.write(run.log, training.log)
        with _training_mode(model):
            for step in watched(range(start, steps), steps - start, "training", progress):
                training.step(step)
                if run is not None:
                    training.keep(run, step + 1)
        checkpoint = None if run is None else newest_checkpoint(run.directory)
    return TrainResult(steps, tuple(training.log), checkpoint, training.controller, start, training.seconds)


class _Training:
    """A model on its way: optimiser, controller, log, and the time it took."""

    def __init__(
        self,
        model: "MrT5ForConditionalGeneration",
        data: Data,
        options: TrainOptions,
        controller: DeletionController | None,
    ) -> None:
        self.model = model
        self.options = options
        self.controller = controller
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=options.lr, weight_decay=0.0)
        self.order = Order(data, options.seed)
        self.sums = Sums()
        self.log: list[Logged] = []
        self.seconds = 0.0

    def step(self, step: int) -> None:
        """Do step number ``step``, from 0."""
        options, started = self.options, time.perf_counter()
        rate = options.lr * (options.steps - step) / options.steps
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        hard, torch_seed = _draws(options.seed, step, options.hard_delete_probability)
        with torch.random.fork_rng(devices=_devices(self.model)):
            torch.manual_seed(torch_seed)
            for micro in range(options.accumulate):
                self._micro_batch(step * options.accumulate + micro, step, hard)
        torch.nn.utils.clip_grad_norm_(self.parameters, MAX_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.controller is not None:
            self.controller.step()
        self.seconds += time.perf_counter() - started
        if (step + 1) % options.log_every == 0 or step + 1 == options.steps:
            self.log.append(self.sums.entry(step + 1, rate, self.seconds))
            self.sums = Sums()

    def _micro_batch(self, number: int, step: int, hard: bool) -> None:
        options, controller = self.options, self.controller
        batch = collate(self.order.take(number * options.batch_size, options.batch_size))
        batch = {name: tensor.to(self.model.device) for name, tensor in batch.items()}
        output = self.model(**batch, hard_delete=hard)
        entropy = float(output.loss.detach())
        if not math.isfinite(entropy):
            raise InputError(
                f"lr: the loss is {entropy} at step {step + 1}; try a lower one than {options.lr}"
            )
        total = int(batch["attention_mask"].sum())
        deleted = 0 if output.keep is None else total - int(output.keep.sum())
        term, alpha = self._term(output, batch["attention_mask"])
        loss = output.loss if term is None else output.loss + alpha * term
        (loss / options.accumulate).backward()
        if controller is not None:
            controller.observe(deleted, total)
        self.sums.add(entropy, 0.0 if term is None else float(term.detach()), alpha, deleted, total)

    def _term(self, output: "MrT5Output", mask: torch.Tensor) -> tuple[torch.Tensor | None, float]:
        """What is added to the cross entropy, and its weight."""
        if output.boundary_loss is not None:
            return output.boundary_loss.mean(), 1.0
        if self.controller is None:
            return None, 0.0
        threshold = self.model.config.deletion_threshold
        term = regularizer(output, mask, self.options.regularizer, threshold=threshold)
        return term, self.controller.alpha

    def keep(self, run: Run, done: int) -> None:
        """Append to the log of ``run`` what is new after ``done`` steps, and save where it is time to."""
        if self.log and self.log[-1].step == done:
            run_log.append(run.log, self.log[-1])
        if done % self.options.save_every == 0 or done == self.options.steps:
            run.save(done, self.model, self.optimizer, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "controller": None if self.controller is None else self.controller.state_dict(),
            "sums": asdict(self.sums),
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any], logged: list[Logged]) -> None:
        """Go on from what :meth:`_state` gave."""
        if self.controller is not None:
            self.controller.load_state_dict(state["controller"])
        self.sums = Sums(**state["sums"])
        self.seconds = state["seconds"]
        self.log = logged


def _draws(seed: int, step: int, hard_delete_probability: float) -> tuple[bool, int]:
    """Whether a step deletes for real, and the seed of what torch draws in it."""
    rng = np.random.default_rng((seed, step))
    return bool(rng.random() < hard_delete_probability), int(rng.integers(2**63))


def _devices(model: "MrT5ForConditionalGeneration") -> list[torch.device]:
    return [model.device] if model.device.type == "cuda" else []


@contextlib.contextmanager
def _opened(out: "str | os.PathLike[str] | None") -> Iterator[Run | None]:
    if out is None:
        yield None
        return
    with locked(out) as run:
        yield run


@contextlib.contextmanager
def _training_mode(model: "MrT5ForConditionalGeneration") -> Iterator[None]:
    before = model.training
    model.train()
    try:
        yield
    finally:
        model.train(before)
