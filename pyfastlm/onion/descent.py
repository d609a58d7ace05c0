"""Steps of AdamW on small modules beside a frozen model, and whether the loss came to rest."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched

RESTS, SMALL = 0.02, 1e-3  # relative fall of the loss, and nats, that count as none


@dataclass(frozen=True, slots=True)
class Point:
    """After ``step`` steps: mean training ``loss`` in nats a token since the point before, and the share of
    held-out sequences that are said rightly throughout (taught)."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Descent:
    """How it went.

    Attributes:
        curve: the points asked for, and the last.
        fall: how much the mean loss of the last fifth of the steps at full learning rate is below that of
            the fifth before, relative to the latter; NaN of less than ten such steps.
        converged: ``fall`` is at most 2 %, or 0.001 nats. A falling rate flattens any curve, so steps in
            which it falls are not looked at. A loss that goes through a plateau looks converged too.
        seconds: wall time of the steps, without the scoring.
    """

    curve: tuple[Point, ...]
    fall: float
    converged: bool
    seconds: float


def descend(
    parameters: Iterable[tuple[Tensor, float]],
    loss: Callable[[], tuple[Tensor, Tensor]],
    score: Callable[[], float],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    cooldown: float,
    evaluate_every: int,
    progress: bool,
) -> Descent:
    """Take ``steps`` steps down the sum of what ``loss`` returns, the first of which is noted.

    Args:
        parameters: each with its own learning rate, relative to ``learning_rate``; those that want no
            gradient are left out.
        loss: of the next batch: what is of interest, and a penalty.
        score: the accuracy of a point.
        learning_rate: at its highest.
        cooldown: share of the steps, the last ones, in which the rate falls to 0, linearly.
        steps, weight_decay, evaluate_every, progress: numbers of AdamW, steps between points, a bar.

    Raises:
        InputError: a number is out of range, or the loss is not finite.
    """
    for name, value in (("steps", steps), ("evaluate_every", evaluate_every)):
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}")
    if not 0 < learning_rate < math.inf:
        raise InputError(f"learning_rate: expected a finite number above 0, got {learning_rate}")
    if not 0 <= weight_decay < math.inf:
        raise InputError(f"weight_decay: expected a finite number from 0, got {weight_decay}")
    if not 0 <= cooldown <= 1:
        raise InputError(f"cooldown: expected a share of the steps, got {cooldown}")
    groups = [{"params": [p], "relative": rate} for p, rate in parameters if p.requires_grad]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    cooling = int(cooldown * steps)
    losses: list[float] = []
    curve: list[Point] = []
    seconds = 0.0
    for step in watched(range(steps), steps, "steps", progress):
        started = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["relative"] * min(1.0, (steps - step) / max(cooling, 1))
        noted, penalty = loss()
        losses.append(float(noted.detach()))
        if not math.isfinite(losses[-1]):
            at = f"the loss is {losses[-1]} at step {step + 1}"
            raise InputError(f"learning_rate: {at}; try a lower one than {learning_rate}")
        optimizer.zero_grad(set_to_none=True)
        (noted + penalty).backward()
        optimizer.step()
        seconds += time.perf_counter() - started
        if (step + 1) % evaluate_every == 0 or step + 1 == steps:
            since = losses[curve[-1].step if curve else 0 :]
            curve.append(Point(step + 1, math.fsum(since) / len(since), score()))
    fall, converged = rest(losses[: steps - cooling])
    return Descent(tuple(curve), fall, converged, seconds)


def rest(losses: Sequence[float]) -> tuple[float, bool]:
    """``fall`` and ``converged`` of :class:`Descent`, from the loss of each step at full rate."""
    fifth = len(losses) // 5
    if fifth < 2:
        return math.nan, False
    last = math.fsum(losses[-fifth:]) / fifth
    before = math.fsum(losses[-2 * fifth : -fifth]) / fifth
    fall = before - last
    return fall / before if before else 0.0, fall <= max(RESTS * before, SMALL)
