"""Curves of a model on GINC: one reading of a prompt gives all its shots."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.prompts import Prompts, prompts
from pyfastlm.icl.ginc.world import GINC, Doubles
from pyfastlm.icl.training.shape import begun, fits
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.progress import watched


class Answers(NamedTuple):
    """Of each prompt at each shot: ``p`` [N, S], the label's probability, and ``right`` [N, S] bool, whether
    it is the likeliest token."""

    p: Doubles
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class GINCCurves:
    """Curves on prompts by each model of a world.

    Attributes:
        k: words of a shot.
        shots: [S], from 1.
        answers: [H] of the prompts by each.
    """

    k: int
    shots: Doubles
    answers: tuple[Answers, ...]

    @property
    def p(self) -> Doubles:
        """Mean probabilities [H, S]."""
        return np.stack([each.p.mean(axis=0) for each in self.answers])

    @property
    def nll(self) -> Doubles:
        """-log of the mean probabilities [H, S], in nats."""
        with np.errstate(divide="ignore"):
            found: Doubles = -np.log(self.p)
        return found

    @property
    def mean_nats(self) -> Doubles:
        """Means of -log of the probabilities [H, S], which no law here is of."""
        with np.errstate(divide="ignore"):
            return np.stack([-np.log(each.p).mean(axis=0) for each in self.answers])

    @property
    def accuracy(self) -> Doubles:
        """Shares of prompts [H, S] on which the label is the likeliest."""
        return np.stack([each.right.mean(axis=0) for each in self.answers])


def ginc_curves(
    lm: LMLike,
    ginc: GINC,
    *,
    k: int = 3,
    shots: int | None = None,
    count: int = 100,
    seed: int = 0,
    batch_size: int = 50,
    progress: bool = False,
) -> GINCCurves:
    """Measure a model on prompts by each of the hidden Markov models.

    Args:
        lm: a causal LM over the words of the world, as :func:`~pyfastlm.icl.train_ginc` makes them.
        ginc: the world.
        k: words of a shot.
        shots: of a prompt; as many as 1,024 tokens hold by default.
        count: prompts by each model.
        seed: of the prompts.
        batch_size: prompts read together.
        progress: a bar on standard error.

    Raises:
        InputError: the model reads other words or shorter texts, or a number is too small.
    """
    base = as_lm(lm)
    answers = [
        answered(
            base, ginc, prompts(ginc, hmm, k, shots=shots, count=count, seed=seed), batch_size=batch_size
        )
        for hmm in watched(range(ginc.hmms), ginc.hmms, "models", progress)
    ]
    return GINCCurves(k, np.arange(1.0, answers[0].p.shape[1] + 1), tuple(answers))


def answered(lm: LMLike, ginc: GINC, given: Prompts, *, batch_size: int = 50) -> Answers:
    """What a model makes of the labels of prompts.

    Raises:
        InputError: the model reads other words or shorter texts, or a number is too small.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1, got {batch_size}")
    base = as_lm(lm)
    fits(base, ginc, given.tokens.shape[1])
    tokens, places = begun(ginc, given.tokens), given.places + 1
    found, right = [], []
    for first in range(0, len(tokens), batch_size):
        rows = slice(first, first + batch_size)
        ids = torch.from_numpy(tokens[rows]).to(base.model.device)
        labels = torch.from_numpy(given.labels[rows])[..., None]
        with torch.inference_mode():
            logits = base.model(input_ids=ids, use_cache=False).logits[:, places].cpu()
        found.append(logits.double().softmax(dim=-1).gather(2, labels)[..., 0].numpy())
        right.append((logits.argmax(dim=-1) == labels[..., 0]).numpy())
    return Answers(np.concatenate(found), np.concatenate(right))
