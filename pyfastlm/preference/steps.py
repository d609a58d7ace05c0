"""A training step by step: gradients in portions, the log, checkpoints, and going on from one."""

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm import run_log
from pyfastlm.lm.adamw import STATE, adamw, load_state, save_state
from pyfastlm.lm.order import Order
from pyfastlm.lm.run_directory import RunDirectory, newest_checkpoint, step_of
from pyfastlm.preference.drift import Drift, Monitor, Watch
from pyfastlm.preference.encoding import TokenPair
from pyfastlm.preference.objectives import Metrics, loss_of, metrics
from pyfastlm.preference.options import TrainingOptions
from pyfastlm.preference.policy import PairLogps, Policy

PROGRESS = "training.json"
LEARNED = "learned.safetensors"  # the weights that learn, by their names


@dataclass(frozen=True, slots=True)
class Logged(Metrics):
    """Means over the steps since the entry before; ``step`` counts the steps done, ``lr`` is the rate of the
    last one."""

    step: int
    loss: float
    lr: float


class Run:
    """A model on its way; ``policy.model`` is changed in place."""

    def __init__(
        self,
        policy: Policy,
        tokens: list[TokenPair],
        references: PairLogps,
        options: TrainingOptions,
        monitor: Monitor | None,
        watch: Watch | None,
    ) -> None:
        self.policy, self.options = policy, options
        self._tokens, self._references = tokens, references
        self._monitor, self._watch = monitor, watch
        self._order = Order(len(tokens), options.seed)
        self._optimizer = adamw(policy.model, options.lr, options.weight_decay)
        self._recent: list[dict[str, float]] = []  # since the last entry
        self.log: list[Logged] = []
        self.drift: list[Drift] = []
        self.seconds = 0.0

    def begin(self, run: RunDirectory | None, start: int) -> None:
        """Go on from the newest checkpoint, where ``start`` is not 0, and write the log anew."""
        if run is not None:
            if start:
                self._restore(run)
            run_log.write(run.log, self.log)
        if not start:
            self._measure(0)

    def step(self, step: int) -> None:
        """Do step number ``step``, from 0.

        Raises:
            InputError: the loss or its gradient is not finite.
        """
        started = time.perf_counter()
        for group in self._optimizer.param_groups:
            group["lr"] = self.options.rate(step)
        size = self.options.batch_size
        chosen = self._order.take(step * size, size)
        found: list[tuple[PairLogps, PairLogps]] = []
        loss = 0.0
        for numbers in (
            chosen[i : i + self.options.pairs_at_once] for i in range(0, size, self.options.pairs_at_once)
        ):
            loss += self._portion([int(number) for number in numbers], found)
        learned = [p for group in self._optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(learned, self.options.grad_clip)
        if not (math.isfinite(loss) and bool(torch.isfinite(norm))):
            reason = f"the loss is {loss} and its gradient {float(norm)} at step {step + 1}"
            raise InputError(f"lr: {reason}; try a lower one than {self.options.lr}")
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        policy, reference = (
            PairLogps(*map(torch.cat, zip(*side, strict=True))) for side in zip(*found, strict=True)
        )
        self._recent.append(asdict(metrics(policy, reference, self.options.beta)) | {"loss": loss})
        self.seconds += time.perf_counter() - started

    def keep(self, run: RunDirectory | None, done: int) -> None:
        """Log, measure and save where it is time to, after ``done`` steps."""
        options, last = self.options, done == self.options.steps
        if done % options.log_every == 0 or last:
            means = {name: sum(e[name] for e in self._recent) / len(self._recent) for name in self._recent[0]}
            self.log.append(Logged(step=done, lr=options.rate(done - 1), **means))
            self._recent = []
            if run is not None:
                run_log.append(run.log, self.log[-1])
        if self._watch is not None and (done % self._watch.every == 0 or last):
            self._measure(done)
        if run is not None and (done % options.checkpoint_every == 0 or last):
            run.write(done, self._fill)

    def _portion(self, numbers: list[int], found: list[tuple[PairLogps, PairLogps]]) -> float:
        """Add the gradients of some pairs; their share of the loss."""
        pairs = [self._tokens[number] for number in numbers]
        with self.policy.reading(pairs) as policy:
            device = policy.chosen.device
            reference = PairLogps(*(side[numbers].to(device) for side in self._references))
            loss = loss_of(self.options.objective, policy, reference, pairs, self.options.beta)
            loss = loss * (len(pairs) / self.options.batch_size)
            loss.backward()
        found.append((PairLogps(*(side.detach() for side in policy)), reference))
        return float(loss.detach())

    def _measure(self, step: int) -> None:
        if self._monitor is not None:
            self.drift.append(self._monitor.measure(step))

    def _fill(self, target: Path) -> None:
        learned = {name: tensor.detach().cpu().contiguous() for name, tensor in _learned(self.policy.model)}
        require("safetensors.torch", "lm").save_file(learned, target / LEARNED)
        save_state(target / STATE, self.policy.model, self._optimizer)
        progress = {
            "recent": self._recent,
            "seconds": self.seconds,
            "drift": [asdict(drift) for drift in self.drift],
        }
        (target / PROGRESS).write_text(json.dumps(progress))

    def _restore(self, run: RunDirectory) -> None:
        path = newest_checkpoint(run.directory)
        assert path is not None
        remedy = "start afresh with resume=False"
        try:
            tensors = require("safetensors.torch", "lm").load_file(path / LEARNED)
            with torch.no_grad():
                for name, parameter in _learned(self.policy.model):
                    parameter.copy_(tensors[name])
            state = json.loads((path / PROGRESS).read_bytes())
            self._recent = [
                {name: float(value) for name, value in entry.items()} for entry in state["recent"]
            ]
            self.seconds = float(state["seconds"])
            self.drift = [Drift(**drift) for drift in state["drift"]]
        except (OSError, ValueError, LookupError, TypeError, RuntimeError, AttributeError) as error:
            raise InputError(f"resume: cannot read {str(path)!r}; {remedy}") from error
        except require("safetensors", "lm").SafetensorError as error:
            raise InputError(f"resume: {str(path / LEARNED)!r} is damaged; {remedy}") from error
        load_state(path, self.policy.model, self._optimizer)
        self.log = run_log.read(run.log, step_of(path), Logged)


def _learned(model: Any) -> list[tuple[str, Tensor]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
