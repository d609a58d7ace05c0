"""A run step by step: optimiser, log, checkpoints, and going on from one."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.icl.training.options import TrainingOptions
from pyfastlm.lm import run_log
from pyfastlm.lm.adamw import STATE, adamw, load_state, save_state
from pyfastlm.lm.loading import LM, load, quiet
from pyfastlm.lm.run_directory import RunDirectory, newest_checkpoint, step_of

PROGRESS = "training.json"
Objective = Callable[[Any, int], Tensor]


@dataclass(frozen=True, slots=True)
class Logged:
    """``step`` counts the steps done; ``loss`` is the mean over those since the entry before, ``lr`` the rate
    of the last one."""

    step: int
    loss: float
    lr: float


class Run:
    """A model on its way; ``lm`` is changed in place."""

    def __init__(self, lm: LM, objective: Objective, options: TrainingOptions) -> None:
        self.lm, self.options = lm, options
        self._objective = objective
        self._optimizer = adamw(lm.model, options.lr, options.weight_decay)
        self._parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._losses: list[float] = []  # since the last entry
        self.log: list[Logged] = []
        self.seconds = 0.0

    def begin(self, run: RunDirectory | None, start: int) -> None:
        """Go on from the newest checkpoint, where ``start`` is not 0, and write the log anew."""
        if run is None:
            return
        if start:
            self._restore(run)
        run_log.write(run.log, self.log)

    def step(self, step: int) -> None:
        """Do step number ``step``, from 0.

        Raises:
            InputError: the loss is not finite.
        """
        started = time.perf_counter()
        for group in self._optimizer.param_groups:
            group["lr"] = self.options.rate(step)
        loss = self._objective(self.lm.model, step)
        value = float(loss.detach())
        if not math.isfinite(value):
            rate = self.options.lr
            raise InputError(f"lr: the loss is {value} at step {step + 1}; try a lower one than {rate}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self.options.grad_clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._losses.append(value)
        self.seconds += time.perf_counter() - started

    def keep(self, run: RunDirectory | None, done: int) -> None:
        """Log and save where it is time to, after ``done`` steps."""
        options, last = self.options, done == self.options.steps
        if done % options.log_every == 0 or last:
            self.log.append(Logged(done, sum(self._losses) / len(self._losses), options.rate(done - 1)))
            self._losses = []
            if run is not None:
                run_log.append(run.log, self.log[-1])
        if run is not None and (done % options.checkpoint_every == 0 or done in options.grid or last):
            run.write(done, self._fill, keep=options.grid)

    def _fill(self, target: Path) -> None:
        with quiet():
            self.lm.model.save_pretrained(target)
            self.lm.tokenizer.save_pretrained(target)
        save_state(target / STATE, self.lm.model, self._optimizer)
        (target / PROGRESS).write_text(json.dumps({"losses": self._losses, "seconds": self.seconds}))

    def _restore(self, run: RunDirectory) -> None:
        path = newest_checkpoint(run.directory)
        assert path is not None
        self.lm.model.load_state_dict(load(path).model.state_dict())
        load_state(path, self.lm.model, self._optimizer)
        try:
            state = json.loads((path / PROGRESS).read_bytes())
            self._losses = [float(loss) for loss in state["losses"]]
            self.seconds = float(state["seconds"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = "start afresh with resume=False"
            raise InputError(f"resume: cannot read {str(path / PROGRESS)!r}; {reason}") from error
        self.log = run_log.read(run.log, step_of(path), Logged)
