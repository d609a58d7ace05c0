"""What is minimised at a step: the nats of the next word, or how little a model prefers texts to others.

The vocabulary has some fifty words, so logits are small, and computed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyfastlm.icl.ginc.documents import checked_writers, documents
from pyfastlm.icl.ginc.world import GINC, Tokens
from pyfastlm.icl.training.options import TrainingOptions
from pyfastlm.icl.training.shape import begun
from pyfastlm.lm.dpo import dpo_loss

PAIR = (1, 2)  # streams of draws: texts to prefer, texts to avoid


class NextWord:
    """Mean nats of each word of documents by the models ``hmms``."""

    def __init__(self, ginc: GINC, hmms: Sequence[int], options: TrainingOptions) -> None:
        self._ginc, self._hmms, self._options = ginc, checked_writers(ginc, hmms), options

    def __call__(self, model: Any, step: int) -> Tensor:
        """The loss of step number ``step``, a scalar."""
        options = self._options
        found = documents(
            self._ginc,
            options.length,
            count=options.batch_size,
            hmms=self._hmms,
            smoothing=options.smoothing,
            seed=(options.seed, step),
        )
        return -text_logps(model, self._ginc, found.tokens).mean() / options.length


class Preference:
    """The DPO loss of documents by ``hmm`` over documents by any of the others, half a batch each.

    Args:
        reference: a model that stays as it is.
        beta: how much a log ratio counts.
    """

    def __init__(self, ginc: GINC, hmm: int, reference: Any, beta: float, options: TrainingOptions) -> None:
        self._ginc, self._options, self._reference, self._beta = ginc, options, reference, beta
        self._sides = ((hmm,), tuple(other for other in range(ginc.hmms) if other != hmm))

    def __call__(self, model: Any, step: int) -> Tensor:
        """The loss of step number ``step``, a scalar."""
        options = self._options
        tokens = np.concatenate(
            [
                documents(
                    self._ginc,
                    options.length,
                    count=options.batch_size,
                    hmms=hmms,
                    smoothing=options.smoothing,
                    seed=(options.seed, step, stream),
                ).tokens
                for hmms, stream in zip(self._sides, PAIR, strict=True)
            ]
        )
        with torch.no_grad():
            reference = text_logps(self._reference, self._ginc, tokens)
        chosen, rejected = text_logps(model, self._ginc, tokens).chunk(2)
        return dpo_loss(chosen, rejected, *reference.chunk(2), beta=self._beta)


def text_logps(model: Any, ginc: GINC, tokens: Tokens) -> Tensor:
    """Log-probabilities [N] of texts ``tokens`` [N, T], in nats; differentiable."""
    ids = torch.from_numpy(begun(ginc, tokens)).to(model.device)
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return -losses.sum(dim=1)
