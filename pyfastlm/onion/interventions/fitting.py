"""Learn an intervention on a frozen model, and see whether its loss came to rest."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from pyfastlm.errors import InputError
from pyfastlm.lm.progress import watched
from pyfastlm.onion.copying import Copier, sequence_loss
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.conditions import check_shapes, check_task, resolved
from pyfastlm.onion.interventions.corruption import Edits, Lengths, chosen_lengths, corrupt
from pyfastlm.onion.model import GRUCopier
from pyfastlm.onion.scoring import exact
from pyfastlm.onion.seeding import seeded
from pyfastlm.onion.sequences import Sequences
from pyfastlm.onion.task import RepeatTask, batches

HELD_OUT = 1024  # sequences that the curve is scored on
RESTS, SMALL = 0.02, 1e-3  # relative fall of the loss, and nats, that count as none


@dataclass(frozen=True, slots=True)
class Point:
    """After ``step`` steps: mean training ``loss`` in nats a token since the point before, and the share of
    held-out sequences that are said rightly throughout (teacher forced)."""

    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a fit came to.

    Attributes:
        intervention: in evaluation mode.
        curve: the points asked for, and the last.
        fall: how much the mean loss of the last fifth of the steps at full learning rate is below that of
            the fifth before, relative to the latter; NaN of less than ten such steps.
        converged: ``fall`` is below 2 %, or 0.001 nats. A falling rate flattens any curve, so steps in which
            it falls are not looked at.
        lengths, edits: the condition of the fit.
        seconds: wall time of the steps, without the scoring.
    """

    intervention: Intervention
    curve: tuple[Point, ...]
    fall: float
    converged: bool
    lengths: Lengths
    edits: Edits
    seconds: float


def fit_intervention(
    intervention: Intervention,
    model: GRUCopier,
    task: RepeatTask,
    *,
    steps: int = 60_000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    cooldown: float = 0.0,
    lengths: Literal["own", "all", "max"] = "own",
    edits: Literal["own", "one", "half"] = "own",
    seed: int = 0,
    evaluate_every: int = 1000,
    progress: bool = False,
) -> Fitted:
    """Train ``intervention``, in place, to repair states of ``model``, which stays as it is.

    A batch of training sequences is corrupted and encoded, the states are edited, and the decoder is to say
    the originals, with the true tokens before as input unless the model has none. AdamW without clipping.

    Args:
        intervention: fresh, or to go on with.
        model: trained on ``task``.
        task: sequences of training, and of validation for the curve.
        steps, batch_size, learning_rate, weight_decay: of the paper by default.
        cooldown: share of the steps, the last ones, in which the rate falls to 0, linearly.
        lengths: "all", "max" (the longest only), or "own": as the paper's code does for this intervention.
        edits: "one" token drawn anew, "half" of them swapped, or "own".
        seed: of batches, corruptions and Gumbel samples.
        evaluate_every: steps between two points of the curve.
        progress: a bar on standard error.

    Raises:
        InputError: a number or name is wrong, model, task and intervention do not fit together, or the loss
            is not finite.
    """
    _check_numbers(steps, batch_size, learning_rate, weight_decay, cooldown, evaluate_every)
    check_shapes(intervention, model)
    check_task(task, model)
    condition = resolved(intervention, lengths, edits)
    copier = model.frozen()
    train = chosen_lengths(task.train, condition[0], task.max_len)
    held = chosen_lengths(task.valid, condition[0], task.max_len)
    held = held.rows(torch.arange(min(HELD_OUT, len(held) // 2 * 2)))
    optimizer = torch.optim.AdamW(
        [p for p in intervention.parameters() if p.requires_grad], lr=learning_rate, weight_decay=weight_decay
    )
    full = steps - int(cooldown * steps)
    losses: list[float] = []
    curve: list[Point] = []
    seconds = 0.0
    with seeded(seed):
        stream = batches(train, batch_size, seed)
        intervention.train()
        for step in watched(range(steps), steps, "steps", progress):
            started = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * min(1.0, (steps - step) / max(steps - full, 1))
            losses.append(_step(intervention, copier, next(stream), condition[1], optimizer))
            seconds += time.perf_counter() - started
            if not math.isfinite(losses[-1]):
                raise InputError(
                    f"learning_rate: the loss is {losses[-1]} at step {step + 1}; try a lower one"
                )
            if (step + 1) % evaluate_every == 0 or step + 1 == steps:
                since = losses[curve[-1].step if curve else 0 :]
                accuracy = _held_out(intervention, copier, held, condition[1])
                curve.append(Point(step + 1, sum(since) / len(since), accuracy))
    intervention.eval()
    fall, rests = rest(losses[:full])
    return Fitted(intervention, tuple(curve), fall, rests, *condition, seconds)


def rest(losses: Sequence[float]) -> tuple[float, bool]:
    """``fall`` and ``converged`` of :class:`Fitted`, from the loss of each step."""
    fifth = len(losses) // 5
    if fifth < 2:
        return math.nan, False
    last = math.fsum(losses[-fifth:]) / fifth
    before = math.fsum(losses[-2 * fifth : -fifth]) / fifth
    fall = before - last
    return fall / before if before else 0.0, fall <= max(RESTS * before, SMALL)


def _step(
    intervention: Intervention,
    copier: Copier,
    batch: Sequences,
    edits: Edits,
    optimizer: torch.optim.Optimizer,
) -> float:
    state = intervention.repair(copier, corrupt(batch, edits, intervention.n_symbols))
    loss = sequence_loss(copier.decode(state, batch.tokens, batch.lengths), batch.tokens, batch.lengths)
    optimizer.zero_grad(set_to_none=True)
    (loss + intervention.penalty()).backward()
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def _held_out(intervention: Intervention, copier: Copier, held: Sequences, edits: Edits) -> float:
    """Always on the same corruptions."""
    intervention.eval()
    generator = torch.Generator().manual_seed(0)
    corrupted = corrupt(held, edits, intervention.n_symbols, generator)
    state = intervention.repair(copier, corrupted, generator)
    said = copier.decode(state, held.tokens, held.lengths).argmax(-1)
    intervention.train()
    return float(exact(said, held).double().mean()) if len(held) else math.nan


def _check_numbers(
    steps: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    cooldown: float,
    evaluate_every: int,
) -> None:
    for name, value, least in (
        ("steps", steps, 1),
        ("batch_size", batch_size, 2),
        ("evaluate_every", evaluate_every, 1),
    ):
        if value < least:
            raise InputError(f"{name}: expected at least {least}, got {value}")
    if not 0 < learning_rate < math.inf:
        raise InputError(f"learning_rate: expected a finite number above 0, got {learning_rate}")
    if not 0 <= weight_decay < math.inf:
        raise InputError(f"weight_decay: expected a finite number from 0, got {weight_decay}")
    if not 0 <= cooldown <= 1:
        raise InputError(f"cooldown: expected a share of the steps, got {cooldown}")
