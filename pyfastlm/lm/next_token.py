"""What is minimised: the nats of the next token, without logits where the last projection is linear."""

from typing import Any

import torch
from torch import Tensor

from pyfastlm.lm import engine
from pyfastlm.lm.head import LinearHead

NOTHING = -1  # fills up what a short sequence leaves of its row
IGNORED = -100  # a label that is not learnt


def causal_loss(
    head: LinearHead, hidden: Tensor, labels: Tensor, count: Tensor | int | None = None
) -> Tensor:
    """Mean nats of the labels, each of them predicted from the token before it; a scalar, differentiable.

    Args:
        head: with its weights.
        hidden: [B, T, D], what the body puts out.
        labels: [B, T] int64; those of -100 do not count.
        count: what their sum is divided by; None for how many there are.
    """
    targets = labels[:, 1:]
    learnt = targets != IGNORED
    logp = head.predictions(hidden[:, :-1][learnt], targets[learnt]).logp
    return -logp.sum() / (learnt.sum() if count is None else count)


class NextToken:
    """Nats of the tokens of examples under a causal LM of transformers, differentiable.

    Raises:
        InputError: the model is not causal.
    """

    def __init__(self, model: Any, window: int) -> None:
        self._model = model
        training = model.training
        model.eval()  # how it computes is found out by comparing, where dropout would be in the way
        self._head = engine.build(model, window).head
        model.train(training)
        self.linear = isinstance(self._head, LinearHead)

    def __call__(self, tokens: Tensor) -> tuple[Tensor, int]:
        """Sum of the nats (a scalar, of the model's dtype or float32), and of how many targets.

        Args:
            tokens: [B, window + 1] int64; -1 only at the ends of rows. It is read as any token, which no
                target that counts can see, and is no target itself.
        """
        inputs = tokens[:, :-1].clamp(min=0)
        targets = tokens[:, 1:].reshape(-1).masked_fill(tokens[:, 1:].reshape(-1) == NOTHING, IGNORED)
        count = int((targets != IGNORED).sum())
        if not self.linear:
            logits = self._model(input_ids=inputs, use_cache=False).logits
            return torch.nn.functional.cross_entropy(
                logits.flatten(0, 1).float(), targets, ignore_index=IGNORED, reduction="sum"
            ), count
        hidden = self._model.get_decoder()(input_ids=inputs, use_cache=False).last_hidden_state
        assert isinstance(self._head, LinearHead)
        logp, _ = self._head.live(self._model).logp(hidden.flatten(0, 1), targets, greedy=False)
        return -logp.sum(), count
