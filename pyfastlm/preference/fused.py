"""What a trainer of TRL asks a model for, the contract of its fused head, with prompts read once."""

import contextlib
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pyfastlm.lm.body import checkpoint
from pyfastlm.lm.head import LinearHead
from pyfastlm.lm.windows import Window
from pyfastlm.preference.policy import Policy, on
from pyfastlm.preference.tree import Forest, forest

IGNORED = -100  # a label that is not predicted
TILE = 4096  # entries of the vocabulary whose capped logits are averaged at once


class TokenScores(NamedTuple):
    """Of the next token at each place of a padded batch, [B, T - 1]; 0 where nothing is predicted."""

    log_probs: Tensor
    entropy: Tensor
    mean_logits: Tensor
    is_top1: Tensor


class FusedHead:
    """Gives a causal LM the ``forward(..., labels=..., fused_lm_head=True)`` that TRL's trainers call.

    Args:
        policy: the model, without adapters around it.
        output: what a forward pass returns, made of the fields of :class:`TokenScores`.

    Attributes:
        keeping: contexts of layers that are run again are entered here, while it is not None.
    """

    def __init__(self, policy: Policy, output: Any) -> None:
        self._policy, self._output = policy, output
        self.keeping: contextlib.ExitStack | None = None

    def install(self) -> None:
        """Put it over the model's own ``forward``, to which all other calls still go."""
        model = self._policy.model
        usual = model.forward

        def forward(_: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
            if not fused_lm_head:
                return usual(*args, **kwargs)
            unknown = kwargs.keys() - {"input_ids", "attention_mask", "labels", "use_cache"}
            if args or unknown:
                return usual(*args, fused_lm_head=True, **kwargs)
            return self._forward(kwargs["input_ids"], kwargs["attention_mask"], kwargs["labels"])

        model.forward = types.MethodType(forward, model)

    def _forward(self, ids: Tensor, mask: Tensor, labels: Tensor) -> Any:
        asked = windows(ids, mask, labels)
        found = scores(self._policy, asked, labels[:, 1:] != IGNORED, self._recomputing)
        predicted = labels[:, 1:] != IGNORED
        loss = -found.log_probs.sum() / predicted.sum().clamp(min=1)
        return self._output(loss=loss, label_mask=predicted, **found._asdict())

    def _recomputing(self, read: Forest) -> None:
        if self.keeping is None or not torch.is_grad_enabled():
            return
        for block in self._policy.model.modules():
            if getattr(block, "gradient_checkpointing", False):
                block._gradient_checkpointing_func = checkpoint
        self.keeping.enter_context(self._policy.recomputing(read))


def windows(ids: Tensor, mask: Tensor, labels: Tensor) -> list[Window]:
    """What is read and predicted of each row [T] of a batch padded on the right; labels lie end to end."""
    found = []
    for row, real, wanted in zip(ids.cpu().numpy(), mask.cpu().numpy(), labels.cpu().numpy(), strict=True):
        predicted = np.flatnonzero(wanted[1:] != IGNORED) + 1
        stop = predicted[-1] + 1 if len(predicted) else 0
        tokens = row[:stop][real[:stop].astype(bool)].astype(np.int32)
        found.append(Window(tokens[:-1], tokens[len(tokens) - len(predicted) :]))
    return found


def scores(
    policy: Policy, asked: list[Window], predicted: Tensor, reading: Callable[[Forest], None]
) -> TokenScores:
    """Of all places of a batch that are ``predicted`` [B, T - 1]; gradients flow to the log-probabilities.

    ``reading`` is told what is about to be read.
    """
    some = [window for window in asked if len(window.targets)]
    head = policy.head()
    assert head is not None
    if not some:
        nothing = head.weight.new_zeros(predicted.shape, dtype=torch.float32)
        return TokenScores(nothing + 0 * head.weight.sum(), nothing, nothing, nothing.bool())
    read = forest(some, shares=policy.shares)
    reading(read)
    outputs = policy.outputs(read)
    rows, targets, tokens = on(outputs.device, read.rows, read.targets, read.tokens)
    hidden = outputs[rows]
    found = head.predictions(hidden, targets, argmax=True, entropy=True)
    assert found.argmax is not None
    assert found.entropy is not None
    means = mean_logits(head, hidden)
    # Answers lie in the order of their rows, and their tokens in the order of the places.
    each = (found.logp, found.entropy.detach(), means, found.argmax == targets)
    return TokenScores(*(x.new_zeros(predicted.shape).masked_scatter(predicted, x[tokens]) for x in each))


@torch.no_grad()
def mean_logits(head: LinearHead, hidden: Tensor) -> Tensor:
    """[n], over the vocabulary; without logits, unless they are capped."""
    wide = hidden.float()
    if head.softcap is None:
        mean = wide @ head.weight.float().mean(0)
        return (mean if head.bias is None else mean + head.bias.float().mean()) * head.scale
    total = wide.new_zeros(len(wide))
    for start in range(0, len(head.weight), TILE):
        bias = None if head.bias is None else head.bias[start : start + TILE].float()
        tile = LinearHead(head.weight[start : start + TILE].float(), bias, head.scale, head.softcap)
        total += tile.logits(wide).sum(1)
    return total / len(head.weight)
