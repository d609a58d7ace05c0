"""How probable tokens are when a model is sampled with a temperature and a cut of its tail."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.head import ROWS_OF_LOGITS, Head, LinearHead
from pyfastlm.lm.runner import positive


@dataclass(frozen=True)
class Sampling:
    """Logits are divided by ``temperature``; then the best ``top_k`` stay; of these the nucleus ``top_p``.

    The order and the meaning of equals are those of transformers' ``generate``.

    Raises:
        InputError, InputTypeError: a number is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("temperature", self.temperature), ("top_p", self.top_p)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise InputTypeError(f"{name}: expected a number, got {value!r}")
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"temperature: expected a finite number > 0, got {self.temperature}")
        if self.top_k is not None:
            positive("top_k", self.top_k)
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"top_p: expected a number in (0, 1], got {self.top_p}")

    @torch.inference_mode()
    def logp(self, head: Head, outputs: Tensor, targets: Tensor) -> Tensor:
        """Log-probability [n] float32 of drawing ``targets`` [n], -inf where they are cut off.

        ``outputs`` [n, D] are what ``head`` takes. Without a cut no logits are held.
        """
        uncut = self.top_k is None and self.top_p is None
        if uncut and isinstance(head, LinearHead) and head.softcap is None:
            return replace(head, scale=head.scale / self.temperature).logp(outputs, targets, greedy=False)[0]
        each = zip(outputs.split(ROWS_OF_LOGITS), targets.split(ROWS_OF_LOGITS), strict=True)
        return torch.cat([self._of_logits(head.logits(rows).float(), wanted) for rows, wanted in each])

    def _of_logits(self, logits: Tensor, targets: Tensor) -> Tensor:
        kept = cut(logits / self.temperature, self.top_k, self.top_p)
        return kept.log_softmax(dim=-1).gather(1, targets[:, None])[:, 0]


def cut(logits: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """``logits`` [n, V], -inf for what is not among the best ``top_k``, and in the nucleus of these."""
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if top_p is not None:
        ascending, order = logits.sort(dim=-1)
        tail = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        tail[:, -1] = False
        logits = logits.masked_fill(tail.scatter(1, order, tail), float("-inf"))
    return logits
