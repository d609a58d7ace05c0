"""Learn an intervention on a frozen model."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.codes import Code, Coder
from pyfastlm.onion.copying import sequence_loss
from pyfastlm.onion.descent import Point, descend
from pyfastlm.onion.interventions.base import Intervention
from pyfastlm.onion.interventions.conditions import check_shapes, check_task, resolved
from pyfastlm.onion.interventions.corruption import Edits, Lengths, chosen_lengths, corrupt
from pyfastlm.onion.scoring import exact, share
from pyfastlm.onion.seeding import seeded
from pyfastlm.onion.sequences import Sequences
from pyfastlm.onion.task import RepeatTask, batches

HELD_OUT = 1024  # sequences that the curve is scored on


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a fit came to.

    Attributes:
        intervention: in evaluation mode.
        curve, fall, converged, seconds: see :class:`pyfastlm.onion.descent.Descent`.
        lengths, edits: the condition of the fit, with "own" spelled out.
    """

    intervention: Intervention
    curve: tuple[Point, ...]
    fall: float
    converged: bool
    seconds: float
    lengths: Lengths
    edits: Edits


def fit_intervention(
    intervention: Intervention,
    model: Coder,
    task: RepeatTask,
    *,
    steps: int = 60_000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    cooldown: float = 0.0,
    mask_rate: float = 1.0,
    lengths: Literal["own", "all", "max"] = "own",
    edits: Literal["own", "one", "half"] = "own",
    seed: int = 0,
    evaluate_every: int = 1000,
    progress: bool = False,
) -> Fitted:
    """Train ``intervention``, in place, to repair states of ``model``, which stays as it is.

    A batch of training sequences is corrupted and encoded, the states are edited, and the decoder is to say
    the originals, with the true tokens before as input unless the model has none. AdamW without clipping; no
    gradient of the model's weights is computed, and encoding keeps no graph.

    Args:
        intervention: fresh, or to go on with.
        model: trained on ``task``, or a known code of :mod:`pyfastlm.onion.controls`.
        task: sequences of training, and of validation for the curve.
        steps, batch_size, learning_rate, weight_decay: of the paper by default.
        cooldown: share of the steps, the last ones, in which the rate falls to 0, linearly.
        mask_rate: learning rate of the logits of a mask, relative to ``learning_rate``. Short fits gain by 5
            to 10: logits have far to go, where large steps of a rotation spoil it.
        lengths: "all", "max" (the longest only), or "own": as the paper's code does for this intervention.
        edits: "one" token drawn anew, "half" of them swapped, or "own". Swaps need an even ``batch_size``.
        seed: of batches, corruptions and Gumbel samples.
        evaluate_every: steps between two points of the curve.
        progress: a bar on standard error.

    Raises:
        InputError: a number or name is wrong, model, task and intervention do not fit together, or the loss
            is not finite.
    """
    if not 0 < mask_rate < math.inf:
        raise InputError(f"mask_rate: expected a finite number above 0, got {mask_rate}")
    check_shapes(intervention, model)
    check_task(task, model)
    wanted, kind = resolved(intervention, lengths, edits)
    copier = model.frozen()
    held = chosen_lengths(task.valid, wanted, task.max_len)
    held = held.rows(torch.arange(min(HELD_OUT, len(held) // 2 * 2)))
    stream = batches(chosen_lengths(task.train, wanted, task.max_len), batch_size, seed)

    def loss() -> tuple[Tensor, Tensor]:
        batch = next(stream)
        state = intervention.repair(copier, corrupt(batch, kind, intervention.n_symbols))
        said = copier.decode(state, batch.tokens, batch.lengths)
        return sequence_loss(said, batch.tokens, batch.lengths), intervention.penalty()

    intervention.train()
    with seeded(seed):
        descent = descend(
            intervention.rated(mask_rate),
            loss,
            lambda: _accuracy(intervention, copier, held, kind),
            steps=steps,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            cooldown=cooldown,
            evaluate_every=evaluate_every,
            progress=progress,
        )
    intervention.eval()
    return Fitted(intervention, descent.curve, descent.fall, descent.converged, descent.seconds, wanted, kind)


@torch.no_grad()
def _accuracy(intervention: Intervention, copier: Code, held: Sequences, edits: Edits) -> float:
    """Whole sequences, always of the same corruptions."""
    intervention.eval()
    generator = torch.Generator().manual_seed(0)
    corrupted = corrupt(held, edits, intervention.n_symbols, generator)
    state = intervention.repair(copier, corrupted, generator)
    said = copier.decode(state, held.tokens, held.lengths).argmax(-1)
    intervention.train()
    return share(exact(said, held)).share
