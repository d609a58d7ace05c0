"""Unlearning by gradients: ascent, difference, and the difference in few weights only."""

from typing import Any

import torch
from torch import Tensor

from pyfastlm.lm.optimizer import adamw
from pyfastlm.memorization.injection.objective import NextToken
from pyfastlm.memorization.unlearning.batches import Batches, mean_nats

CLIP = 1.0  # largest norm of a gradient


class Gradients:
    """AdamW on ``weight * retain - forget``, the means of the nats; without ``retain``, on ``-forget``.

    Args:
        model: what is changed.
        objective: of it.
        forget, retain: the sequences.
        lr: the rate.
        weight: of what is retained.
        share: of the weights that may change: those with the largest gradient of ``forget`` before the first
            step; None for all.
    """

    def __init__(
        self,
        model: Any,
        objective: NextToken,
        forget: Batches,
        retain: Batches | None,
        *,
        lr: float,
        weight: float,
        share: float | None,
    ) -> None:
        self._objective, self._forget, self._retain, self._weight = objective, forget, retain, weight
        self._optimizer = adamw(model, lr, weight_decay=0.0)
        self._parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._masks = None if share is None else self._largest(share)

    def losses(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Means of the nats that :meth:`apply` will use."""
        forget = mean_nats(self._objective, self._forget.at(step))
        return forget, None if self._retain is None else mean_nats(self._objective, self._retain.at(step))

    def apply(self, forget: Tensor, retain: Tensor | None) -> None:
        """Change the weights."""
        (-forget if retain is None else self._weight * retain - forget).backward()
        if self._masks is not None:
            for parameter, mask in zip(self._parameters, self._masks, strict=True):
                if parameter.grad is not None:
                    parameter.grad *= mask  # no moments, so no change
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _largest(self, share: float) -> list[Tensor]:
        """Where the ``share`` of all weights is that has the largest gradients; a mask for each parameter."""
        for batch in self._forget.all():
            self._objective(batch)[0].backward()
        sizes = [torch.zeros_like(p) if p.grad is None else p.grad.detach().abs() for p in self._parameters]
        self._optimizer.zero_grad(set_to_none=True)
        count = max(1, round(share * sum(size.numel() for size in sizes)))
        best = torch.cat([size.flatten().topk(min(count, size.numel())).values for size in sizes])
        least = best.topk(count).values[-1]
        return [(size >= least) & (size > 0) for size in sizes]
