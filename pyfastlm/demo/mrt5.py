"""Section two: a small byte model learns which bytes it can do without, and what that costs."""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pyfastlm.demo.texts import Collection
from pyfastlm.mrt5.controller import DeletionController
from pyfastlm.mrt5.corruption import CorruptedText, SpanCorruption
from pyfastlm.mrt5.evaluation import evaluate
from pyfastlm.mrt5.kinds import POOLING, Pooling
from pyfastlm.mrt5.loading import new_model
from pyfastlm.mrt5.log import Logged
from pyfastlm.mrt5.report import Mode, Report
from pyfastlm.mrt5.show import Shown, look
from pyfastlm.mrt5.training import train

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

MODES: tuple[Mode, ...] = ("soft", "hard", "hard+bias", "random", "fixed")
HELD_OUT = 4 / 15  # of the documents of each language, 8 of 30: no training sees them


@dataclass(frozen=True, slots=True)
class Size:
    """How large the experiment is: ``plain`` steps of cross entropy alone, then ``gated`` ones.

    ``pooling`` names baselines that are trained beside the gate.
    """

    model: str
    input_length: int
    mean_span: float
    batch_size: int
    plain: int
    gated: int
    seeds: int
    pooling: tuple[Pooling, ...] = ()


QUICK = Size("tiny", 96, 4.0, 8, plain=30, gated=30, seeds=1)
SHORT = Size("tiny", 128, 5.0, 16, plain=300, gated=180, seeds=1)
FULL = Size("tiny", 128, 5.0, 16, plain=800, gated=250, seeds=3, pooling=POOLING)
LR, GATED_LR = 2e-3, 1e-3
# Hundreds of steps, not thousands: the integral must be quicker than the paper's 1e-5, and with its
# proportional gain of 0.5 gates would be shut before the controller sees it; a shut gate hardly opens again.
KP, KI = 0.02, 1e-4
MORE_BYTES = 400_000  # of help pages in each language that has them
TARGET = 0.5
FREE = 0.01  # bits per byte: less is no loss that this experiment could see


@dataclass(frozen=True, slots=True)
class Run:
    """One seed: its report, and the logs of the phases; of ``pooled``, one for each of ``Size.pooling``."""

    seed: int
    report: Report
    plain: tuple[Logged, ...]
    gated: tuple[Logged, ...]
    control: tuple[Logged, ...]
    pooled: tuple[tuple[Logged, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Deletion:
    """The experiment: one run for each seed, and what the gate of the first one deletes in ``shown``."""

    size: Size
    target: float
    parameters: int
    more: tuple[str, ...]
    languages: tuple[tuple[str, str], ...]
    trained_bytes: int
    held_out: tuple[str, ...]
    runs: tuple[Run, ...]
    shown: tuple[Shown, ...]
    seconds: float

    @property
    def modes(self) -> tuple[Mode, ...]:
        """What the reports have rows of, in the order of a table."""
        return (*MODES, *self.size.pooling, "control")

    def mean(self, what: str, mode: Mode, language: str | None = None) -> float:
        """Mean over the seeds of one number of a report's rows."""
        return float(np.mean(self.each(what, mode, language)))

    def each(self, what: str, mode: Mode, language: str | None = None) -> list[float]:
        """One number of a report's rows, seed by seed."""
        return [float(getattr(run.report.row(mode, language), what)) for run in self.runs]

    @property
    def cost(self) -> list[float]:
        """Bits per byte by which hard deletion is worse than the control, seed by seed; below 0 is better."""
        pairs = zip(self.each("bits_per_byte", "hard"), self.each("bits_per_byte", "control"), strict=True)
        return [hard - control for hard, control in pairs]

    @property
    def verdict(self) -> str:
        """One sentence that says what came out, whichever way."""
        cost, deleted = self.cost, self.mean("deleted", "hard")
        span = f"mean of {len(cost)} seeds, from {min(cost):+.3f} to {max(cost):+.3f}"
        how = span if len(cost) > 1 else "one seed, which says nothing about chance"
        if max(cost) < FREE:
            came = "no loss from deletion is seen"
        elif min(cost) > 0:
            came = "deletion is not free at this size, unlike what the paper reports for large models"
        else:
            came = "the seeds do not agree whether deletion costs anything"
        return (
            f"Hard deletion of {deleted:.1%} of the bytes (target {self.target:.0%}) changes "
            f"{float(np.mean(cost)):+.3f} bits/byte against the control ({how}): {came}."
        )


def learn(
    texts: Collection,
    *,
    size: Size,
    seed: int,
    more: Mapping[str, Sequence[str]] | None = None,
    progress: bool = False,
) -> Deletion:
    """Train and evaluate on ``texts``, whose sources must be parallel; ``more`` is text to train on, by code.

    For each seed, a model without a gate is trained with cross entropy alone. Then two copies of it go on for
    the same steps on the same batches: one with a gate that a controller steers to delete ``TARGET`` of the
    bytes, and as control one without. So does one more for each of ``size.pooling``, which is to shorten as
    much as the gate did at the end of its training. Documents that no training saw, the same ones in every
    language, are masked and predicted.
    """
    started = time.perf_counter()
    keys = [document.key for document in texts.sources[0].documents]
    count = max(1, round(HELD_OUT * len(keys)))
    held_out = sorted(np.random.default_rng(seed).permutation(len(keys))[:count].tolist())
    runs: list[Run] = []
    shown: tuple[Shown, ...] = ()
    parameters = trained = 0
    for number in range(size.seeds):
        corruption = SpanCorruption(
            input_length=size.input_length, mean_span_length=size.mean_span, seed=seed + number
        )
        training = _part(corruption, texts, [n for n in range(len(keys)) if n not in held_out], more or {})
        testing = _part(corruption, texts, held_out, {})
        run, gated = _run(training, testing, size, seed + number, progress)
        runs.append(run)
        if number == 0:
            trained = training.windows.size
            parameters = sum(weight.numel() for weight in gated.parameters())
            first = [(source.language, source.documents[held_out[0]].text) for source in texts.sources]
            shown = tuple(look(gated, first))
    return Deletion(
        size=size,
        target=TARGET,
        parameters=parameters,
        more=tuple(more or ()),
        languages=tuple((source.language, source.code) for source in texts.sources),
        trained_bytes=trained,
        held_out=tuple(keys[number] for number in held_out),
        runs=tuple(runs),
        shown=shown,
        seconds=time.perf_counter() - started,
    )


def _part(
    corruption: SpanCorruption, texts: Collection, numbers: Sequence[int], more: Mapping[str, Sequence[str]]
) -> CorruptedText:
    found = {
        source.language: [*(source.documents[number].text for number in numbers), *more.get(source.code, ())]
        for source in texts.sources
    }
    return corruption.data(found)


def _run(
    training: CorruptedText, testing: CorruptedText, size: Size, seed: int, progress: bool
) -> "tuple[Run, MrT5ForConditionalGeneration]":
    base = new_model(size.model, seed=seed, deletion_type=None)
    options: dict[str, Any] = {"batch_size": size.batch_size, "seed": seed, "progress": progress}
    plain = train(base, training, steps=size.plain, lr=LR, **options, log_every=50)
    control = copy.deepcopy(base)
    gated = shortening(base, seed, deletion_type="scaled_sigmoid")
    options |= {"steps": size.gated, "lr": GATED_LR, "log_every": 25}
    pi = DeletionController(TARGET, kp=KP, ki=KI, anti_windup=True)
    steered = train(gated, training, controller=pi, **options)
    beside = train(control, training, **options)
    left = min(max(1 - steered.log[-1].deleted, 0.05), 0.95)
    as_much = {"boundary_prior": left, "convolution_rate": round(1 / left)}
    pooled = [shortening(base, seed, deletion_type=kind, **as_much) for kind in size.pooling]
    merged = tuple(train(merging, training, **options).log for merging in pooled)
    report = evaluate(
        gated,
        testing,
        modes=MODES,
        control=control,
        pooled=pooled,
        batch_size=32,
        seed=seed,
        progress=progress,
    )
    return Run(seed, report, plain.log, steered.log, beside.log, merged), gated


def shortening(
    model: "MrT5ForConditionalGeneration", seed: int, **changes: Any
) -> "MrT5ForConditionalGeneration":
    """A copy of a model without a gate that has a fresh one, or a fresh pooling, drawn by ``seed``."""
    config = type(model.config).from_dict(model.config.to_dict() | changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copied = type(model)(config)
    copied.load_state_dict(model.state_dict(), strict=False)
    return copied
