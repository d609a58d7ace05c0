"""What is minimised: the nats of the next token, without logits where the last projection is linear."""

from typing import Any

import torch
from torch import Tensor

from pyfastlm.lm import engine
from pyfastlm.lm.head import LinearHead

NOTHING = -1  # fills up what a short sequence leaves of its row
IGNORED = -100


class NextToken:
    """Nats of the tokens of examples under a causal LM of transformers, differentiable.

    Raises:
        InputError: the model is not causal.
    """

    def __init__(self, model: Any, window: int) -> None:
        self._model = model
        training = model.training
        model.eval()  # how it computes is found out by comparing, where dropout would be in the way
        head = engine.build(model, window).head
        model.train(training)
        self._scale = head.scale if isinstance(head, LinearHead) else 1.0
        self._softcap = head.softcap if isinstance(head, LinearHead) else None
        self.linear = isinstance(head, LinearHead)

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
        last = self._model.get_output_embeddings()
        head = LinearHead(last.weight, last.bias, self._scale, self._softcap)
        logp, _ = head.logp(hidden.flatten(0, 1), targets, greedy=False)
        return -logp.sum(), count
