"""Continue the training of a causal language model on a stream into which sequences are planted."""

import contextlib
import copy
import json
import math
import os
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm.errors import InputError
from pyfastlm.lm import run_log
from pyfastlm.lm.loading import LM, LMLike, as_lm, load, quiet
from pyfastlm.lm.order import Order
from pyfastlm.lm.progress import watched
from pyfastlm.lm.run_directory import RunDirectory, checkpoints, locked, newest_checkpoint, step_of
from pyfastlm.lm.runner import context_length
from pyfastlm.memorization.injection.injection import Injection
from pyfastlm.memorization.injection.log import Logged, Sums
from pyfastlm.memorization.injection.objective import NextToken
from pyfastlm.memorization.injection.optimizer import STATE, adamw, load_state, save_state, state_digest
from pyfastlm.memorization.injection.options import Options
from pyfastlm.memorization.injection.plan import Plan
from pyfastlm.memorization.injection.result import Continued, Planted
from pyfastlm.memorization.injection.stream import TokenStream
from pyfastlm.memorization.injection.validation import Validation

PROGRESS = "training.json"


def continue_pretraining(
    lm: LMLike,
    stream: TokenStream,
    injections: Sequence[Injection] = (),
    *,
    steps: int,
    batch_size: int,
    lr: float,
    optimizer_state: "str | os.PathLike[str] | None" = None,
    warmup: int = 0,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    shuffle: bool = True,
    evaluate: TokenStream | None = None,
    directory: "str | os.PathLike[str] | None" = None,
    resume: bool = True,
    checkpoint_every: int = 1000,
    grid: Collection[int] = (),
    log_every: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> Continued:
    """Train a copy of ``lm`` for ``steps`` steps; chosen examples of the stream are replaced by injections.

    AdamW with a constant rate after ``warmup``, as the reference has it; the loss is the mean of the nats of
    the next token over a batch. What a short sequence leaves of its row is no target and seen by none. The
    sequences in each batch are counted by their tokens, and the counts must be those of the plan.

    Without ``injections``, and with the same other arguments, this is the twin of a run: the same examples
    in the same order, but those that were replaced.

    With ``directory``, checkpoints are written there. Killed at any moment and called again with the same
    arguments, a run goes on from the last one, and ends with the weights and the log of an undisturbed run,
    to the last bit if the number of threads is the same: what is random is a function of ``seed`` and the
    step. A finished run is recognised, and only loaded.

    Args:
        lm: any causal LM; where it is loaded here, no second copy is held.
        stream: what to train on; with fewer examples than are wanted, they come again, epoch by epoch.
        injections: what to plant and where.
        steps: of the optimiser.
        batch_size: examples of a step.
        lr: learning rate.
        optimizer_state: ``optimizer.safetensors`` of a checkpoint, or its directory: the moments to go on
            with; None starts without.
        warmup: steps in which the rate rises.
        weight_decay: of AdamW.
        grad_clip: largest norm of the gradient.
        shuffle: draw the order of the examples anew for each epoch; otherwise that of the stream.
        evaluate: a stream to measure the loss on whenever an entry is logged, and before the first step.
        directory: for ``settings.json``, ``log.jsonl`` and checkpoints; None keeps nothing on disk.
        resume: go on with what is in ``directory``; False starts afresh and removes it.
        checkpoint_every: steps between two checkpoints; only the newest is kept,
        grid: but those after these numbers of steps are, too.
        log_every: steps between two entries of the log.
        seed: of the order of examples, and of dropout.
        progress: a bar on standard error.

    Raises:
        InputError: an argument is out of range, a place is wanted twice or beyond the end, a token is not of
            the model, the loss is not finite; ``directory`` is in use, or holds a run with other settings
            (the message says which).
    """
    options = Options(
        steps, batch_size, lr, warmup, weight_decay, grad_clip, shuffle, seed, log_every, checkpoint_every,
        tuple(sorted({*grid})),
    )  # fmt: skip
    options.check()
    base = as_lm(lm)
    if stream.window > (context := context_length(base)):
        raise InputError(
            f"stream: expected a window of at most the model's context of {context}, got {stream.window}"
        )
    vocabulary = base.model.get_input_embeddings().weight.shape[0]
    plan = Plan(
        injections, base.tokenizer, stream.window, vocabulary=vocabulary, steps=steps, batch_size=batch_size
    )
    validation = None if evaluate is None else Validation(evaluate, base.tokenizer, vocabulary, batch_size)
    with _opened(directory) as run:
        start = 0
        if run is not None:
            state = state_digest(optimizer_state)
            start = run.begin(_settings(options, base, stream, plan, evaluate, state), resume=resume)
        training = _Training(copy.deepcopy(base) if lm is base else base, stream, plan, options, validation)
        if run is not None and start:
            training.restore(run)
        elif optimizer_state is not None:
            load_state(optimizer_state, training.lm.model, training.optimizer)
        training.begin(run, start)
        for step in watched(range(start, steps), steps - start, "training", progress):
            training.step(step)
            training.keep(run, step + 1)
        kept = () if run is None else tuple(checkpoints(run.directory))
    return training.result(start, kept)


class _Training:
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


def _settings(
    options: Options, base: LM, stream: TokenStream, plan: Plan, evaluate: TokenStream | None, state: str
) -> dict[str, Any]:
    """All that decides the weights and the log; flat, so that a message can name the one that differs."""
    import pyfastlm

    return options.settings() | {
        "lm": base.fingerprint,
        "optimizer_state": state,
        "stream": stream.digest(),
        "injections": plan.digest(),
        "evaluate": "none" if evaluate is None else evaluate.digest(),
        "pyfastlm": pyfastlm.__version__,
    }


def _devices(model: Any) -> list[torch.device]:
    return [model.device] if model.device.type == "cuda" else []


@contextlib.contextmanager
def _opened(directory: "str | os.PathLike[str] | None") -> Iterator[RunDirectory | None]:
    if directory is None:
        yield None
        return
    with locked(directory, "directory") as run:
        yield run
