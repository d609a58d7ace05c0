"""Train a reader on the states of a frozen model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.onion.codes import Code, Coder
from pyfastlm.onion.copying import sequence_loss
from pyfastlm.onion.descent import Point, descend
from pyfastlm.onion.interventions.conditions import check_task
from pyfastlm.onion.probes.readers import Probe
from pyfastlm.onion.seeding import seeded
from pyfastlm.onion.sequences import Sequences
from pyfastlm.onion.tallying import Scores, Tally
from pyfastlm.onion.task import RepeatTask

HELD_OUT = 1024  # sequences that the curve is scored on


@dataclass(frozen=True, slots=True, eq=False)
class FittedProbe:
    """What a fit came to.

    Attributes:
        probe: in evaluation mode.
        scores: on all validation sequences; ``by_place`` has the accuracy of each place, ``taught`` and
            ``free`` that of whole sequences. They are the same for probes that read all at once.
        curve, fall, converged, seconds: see :class:`pyfastlm.onion.descent.Descent`.
    """

    probe: Probe
    scores: Scores
    curve: tuple[Point, ...]
    fall: float
    converged: bool
    seconds: float


def fit_probe(
    probe: Probe,
    model: Coder,
    task: RepeatTask,
    *,
    steps: int = 10_000,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    cooldown: float = 0.0,
    seed: int = 0,
    evaluate_every: int = 1000,
    progress: bool = False,
) -> FittedProbe:
    """Train ``probe``, in place, to say the sequences that states of ``model`` stand for; AdamW.

    Args:
        probe: of this module, for models of this shape.
        model: trained on ``task``, or a known code of :mod:`pyfastlm.onion.controls`; stays as it is.
        task: sequences of training, and of validation for the curve and the scores.
        steps, batch_size, learning_rate, weight_decay: the last three of the paper by default.
        cooldown: share of the steps, the last ones, in which the rate falls to 0, linearly.
        seed: of the batches.
        evaluate_every: steps between two points of the curve.
        progress: a bar on standard error.

    Raises:
        InputError: a number is wrong, model, task and probe do not fit together, or the loss is not finite.
    """
    check_task(task, model)
    shapes = [(c.size, c.n_symbols, c.max_len) for c in (model.config, probe.config)]
    if shapes[0] != shapes[1]:
        raise InputError(f"probe: expected size, n_symbols and max_len {shapes[0]}, got {shapes[1]}")
    copier = model.frozen()
    stream = task.batches(batch_size, seed)
    held = task.valid.rows(torch.arange(min(HELD_OUT, len(task.valid))))

    def loss() -> tuple[Tensor, Tensor]:
        batch = next(stream)
        states = copier.encode(batch.tokens, batch.lengths)
        said = probe.decode(states, batch.tokens, batch.lengths)
        return sequence_loss(said, batch.tokens, batch.lengths), torch.zeros(())

    probe.train()
    with seeded(seed):
        descent = descend(
            ((parameter, 1.0) for parameter in probe.parameters()),
            loss,
            lambda: _scores(probe, copier, held).taught.share,
            steps=steps,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            cooldown=cooldown,
            evaluate_every=evaluate_every,
            progress=progress,
        )
    probe.eval()
    scores = _scores(probe, copier, task.valid)
    return FittedProbe(probe, scores, descent.curve, descent.fall, descent.converged, descent.seconds)


@torch.no_grad()
def _scores(probe: Probe, copier: Code, held: Sequences) -> Scores:
    tally = Tally(probe)
    tally.add(copier.encode(held.tokens, held.lengths), held)
    return tally.scores()
