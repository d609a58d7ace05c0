"""Unlearning by pruning: hidden units of the feed-forward layers are set to zero, a few in each step."""

from typing import Any

import torch
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.lm.next_token import NextToken
from pyfastlm.memorization.blocks import blocks_of
from pyfastlm.memorization.unlearning.batches import Batches, mean_nats

# The last linear layer of the feed-forward part, by its name inside a block.
LAST = (
    "mlp.down_proj",  # Llama and its relatives
    "mlp.dense_4h_to_h",  # GPT-NeoX
    "mlp.c_proj",  # GPT-2, GPT-Neo
    "mlp.fc_out",  # GPT-J
    "mlp.fc2",  # Phi
    "fc2",  # OPT
)


class Pruning:
    """Removes the units that, to first order, cost ``forget`` most and ``retain`` least.

    Zeroing a unit with activation a and gradient g of the mean nats changes these by about ``-a g``, summed
    over all tokens. In each step the units with the largest change of ``forget``, less ``weight`` times that
    of ``retain``, are removed; what is left is attributed anew in the next step.

    Args:
        model: what is changed.
        objective: of it.
        forget, retain: the sequences; what is not given counts as nothing.
        weight: of what is retained.
        share: of all units that are removed in a step, at least one.
    """

    def __init__(
        self,
        model: Any,
        objective: NextToken,
        forget: Batches,
        retain: Batches | None,
        *,
        weight: float,
        share: float,
    ) -> None:
        self._objective, self._forget, self._retain, self._weight = objective, forget, retain, weight
        self._layers = [_last(block) for block in blocks_of(model)]
        self._model = model
        widths = [_incoming(layer) for layer in self._layers]
        self._count = max(1, round(share * sum(widths)))
        self._kept = [torch.ones(width, dtype=torch.bool, device=model.device) for width in widths]
        self._scores: list[Tensor] = []

    def losses(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Means of the nats, and along with them the attributions that :meth:`apply` uses."""
        forget, self._scores = self._attributed(self._forget.at(step))
        if self._retain is None:
            return forget, None
        retain, costs = self._attributed(self._retain.at(step))
        self._scores = [score - self._weight * cost for score, cost in zip(self._scores, costs, strict=True)]
        return forget, retain

    @torch.no_grad()
    def apply(self, forget: Tensor, retain: Tensor | None) -> None:
        """Set the next units to zero; nothing is left to do when all are."""
        scores = torch.cat(
            [
                score.masked_fill(~kept, -torch.inf)
                for score, kept in zip(self._scores, self._kept, strict=True)
            ]
        )
        best = scores.topk(min(self._count, int(scores.isfinite().sum()))).indices
        start = 0
        for layer, kept in zip(self._layers, self._kept, strict=True):
            here = best[(best >= start) & (best < start + len(kept))] - start
            weight = layer.weight if isinstance(layer, torch.nn.Linear) else layer.weight.T
            weight[:, here] = 0.0
            kept[here] = False
            start += len(kept)

    def _attributed(self, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        seen: list[Tensor] = []

        def keep(module: Any, args: Any) -> None:
            args[0].retain_grad()
            seen.append(args[0])

        handles = [layer.register_forward_pre_hook(keep) for layer in self._layers]
        try:
            loss = mean_nats(self._objective, tokens)
        finally:
            for handle in handles:
                handle.remove()
        loss.backward()
        self._model.zero_grad(set_to_none=True)
        found = []
        for activation in seen:
            assert activation.grad is not None
            change = -(activation.detach() * activation.grad).flatten(0, -2).sum(0)
            found.append(change)
        return loss.detach(), found


def _last(block: torch.nn.Module) -> Any:
    for name in LAST:
        try:
            layer: Any = block.get_submodule(name)
        except AttributeError:
            continue
        # The Conv1D of GPT-2 is a linear layer with its weight the other way round.
        if isinstance(layer, torch.nn.Linear) or type(layer).__name__ == "Conv1D":
            return layer
    raise InputError(
        f"method: 'pruning' knows feed-forward layers that end in {', '.join(LAST)}; "
        f"{type(block).__name__} has none of them; take another method"
    )


def _incoming(layer: Any) -> int:
    return int(layer.in_features if isinstance(layer, torch.nn.Linear) else layer.weight.shape[0])
