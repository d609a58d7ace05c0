"""A run of continued training, step by step: optimiser, counts, log, checkpoints."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.lm import run_log
from pyfastlm.lm.loading import LM, load, quiet
from pyfastlm.lm.optimizer import STATE, adamw, load_state, save_state
from pyfastlm.lm.order import Order
from pyfastlm.lm.run_directory import RunDirectory, newest_checkpoint, step_of
from pyfastlm.memorization.injection.log import Logged, Sums
from pyfastlm.memorization.injection.objective import NextToken
from pyfastlm.memorization.injection.options import Options
from pyfastlm.memorization.injection.plan import Plan
from pyfastlm.memorization.injection.result import Continued, Planted
from pyfastlm.memorization.injection.stream import TokenStream
from pyfastlm.memorization.injection.validation import Validation

PROGRESS = "training.json"


class Training:
    """A model on its way: optimiser, counts, log, and the time it took."""

    def __init__(
        self, lm: LM, stream: TokenStream, plan: Plan, options: Options, validation: Validation | None
    ) -> None:
        self.lm = LM(lm.model, lm.tokenizer, f"{lm.name}, continued")
        self.stream = stream
        self.plan = plan
        self.options = options
        self.validation = validation
        self.objective = NextToken(lm.model, stream.window)
        self.optimizer = adamw(lm.model, options.lr, options.weight_decay)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.order = Order(len(stream), options.seed if options.shuffle else None)
        self.counts = np.zeros(len(plan.injections), np.int64)
        self.sums = Sums()
        self.log: list[Logged] = []
        self.seconds = 0.0

    def begin(self, run: RunDirectory | None, start: int) -> None:
        """Write the first entry, or again those that a resumed run has."""
        self.lm.model.train()
        if not start:
            self.log.append(Logged(0, None, None, None, 0, *self._validated()))
        if run is not None:
            run_log.write(run.log, self.log)

    def step(self, step: int) -> None:
        """Do step number ``step``, from 0."""
        options, started = self.options, time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = options.rate(step)
        batch = self.plan.batch(self.stream, self.order, step)
        tokens = torch.from_numpy(batch.tokens).to(self.lm.model.device)
        with torch.random.fork_rng(devices=_devices(self.lm.model)):
            torch.manual_seed(int(np.random.default_rng((options.seed, step)).integers(2**63)))
            total, count = self.objective(tokens)
        loss = total / count
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(f"lr: the loss is {value} at step {step + 1}; try a lower one than {options.lr}")
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, options.grad_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        np.add.at(self.counts, batch.planted[batch.planted >= 0], 1)
        self.sums.add(value, float(norm))
        self.seconds += time.perf_counter() - started

    def keep(self, run: RunDirectory | None, done: int) -> None:
        """Log and save where it is time to, after ``done`` steps; see that the counts are as planned."""
        options = self.options
        if done % options.log_every == 0 or done == options.steps:
            if (self.counts != self.plan.until(done)).any():
                raise RuntimeError(f"after {done} steps, other sequences were planted than had been planned")
            self._entry(done)
            if run is not None:
                run_log.append(run.log, self.log[-1])
        if run is not None and (
            done % options.checkpoint_every == 0 or done in options.grid or done == options.steps
        ):
            run.write(done, self._fill, keep=options.grid)

    def _entry(self, done: int) -> None:
        rate, planted, sums = self.options.rate(done - 1), int(self.counts.sum()), self.sums
        self.log.append(
            Logged(done, sums.loss / sums.steps, rate, sums.gradient, planted, *self._validated())
        )
        self.sums = Sums()

    def _validated(self) -> tuple[float | None, float | None]:
        if self.validation is None:
            return None, None
        started = time.perf_counter()
        found = self.validation.measure(self.lm.model, self.objective)
        self.seconds += time.perf_counter() - started
        return found

    def _fill(self, target: Path) -> None:
        """Write a checkpoint."""
        with quiet():
            self.lm.model.save_pretrained(target)
            self.lm.tokenizer.save_pretrained(target)
        save_state(target / STATE, self.lm.model, self.optimizer)
        state = {
            "counts": self.counts.tolist(),
            "sums": [self.sums.steps, self.sums.loss, self.sums.gradient],
            "seconds": self.seconds,
        }
        (target / PROGRESS).write_text(json.dumps(state), "utf-8")

    def restore(self, run: RunDirectory) -> None:
        """Go on from the newest checkpoint."""
        path = newest_checkpoint(run.directory)
        assert path is not None
        model = self.lm.model
        model.load_state_dict(load(path, dtype=model.dtype).model.state_dict())
        load_state(path, model, self.optimizer)
        try:
            state: dict[str, Any] = json.loads((path / PROGRESS).read_bytes())
            counts = np.array(state["counts"], np.int64)
            self.sums = Sums(*state["sums"])
            self.seconds = float(state["seconds"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = "start afresh with resume=False"
            raise InputError(f"resume: cannot read {str(path / PROGRESS)!r}; {reason}") from error
        if counts.shape != self.counts.shape:
            raise InputError(f"resume: {str(path)!r} counts other sequences; start afresh with resume=False")
        self.counts = counts
        self.log = run_log.read(run.log, step_of(path), Logged)

    def result(self, start: int, kept: tuple[Path, ...]) -> Continued:
        """What it came to."""
        size, steps = self.options.batch_size, self.options.steps
        planted = tuple(
            Planted(
                injection.sequence,
                injection.transform,
                tokens,
                int(count),
                np.array(injection.examples, np.int64) // size,
            )
            for injection, tokens, count in zip(
                self.plan.injections, self.plan.tokens, self.counts, strict=True
            )
        )
        self.lm.model.eval()
        share = float(self.counts.sum()) / (steps * size)
        return Continued(
            self.lm, steps, planted, tuple(self.log), kept, start, self.seconds, share,
            self.plan.densest() / size,
        )  # fmt: skip


def _devices(model: Any) -> list[torch.device]:
    return [model.device] if model.device.type == "cuda" else []
