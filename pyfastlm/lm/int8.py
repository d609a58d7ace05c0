"""Linear layers of a model in 8 bits, without touching the model."""

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.lm.head import LinearHead
from pyfastlm.ops._int8 import Int8Rows, Int8Weight, int8_rows, int8_weight
from pyfastlm.ops.int8_linear import int8_linear
from pyfastlm.ops.int8_linear_logp import int8_linear_logp
from pyfastlm.ops.linear_logp import LinearLogp

KEPT = 0.2  # share of a row's length, of numbers that stay in float32


class Int8Layers:
    """The weights of all linear layers of a module, also of GPT-2's transposed ones, by their identity."""

    def __init__(self, module: torch.nn.Module) -> None:
        transposed = require("transformers.pytorch_utils", "lm").Conv1D
        self._weights: dict[int, tuple[Tensor, Int8Weight]] = {}
        self._read: tuple[Tensor, Int8Rows] | None = None
        for part in module.modules():
            if type(part) in (torch.nn.Linear, transposed):
                weight = cast(Tensor, part.weight)
                rows = weight if type(part) is torch.nn.Linear else weight.T
                self._weights[id(weight)] = weight, int8_weight(rows)

    def __len__(self) -> int:
        return len(self._weights)

    def __contains__(self, weight: Tensor) -> bool:
        return id(weight) in self._weights

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What the layer with this weight makes of x. Layers that read the same tensor quantise it once."""
        if self._read is None or self._read[0] is not x:
            self._read = x, int8_rows(x, keep=KEPT)
        return int8_linear(self._read[1], self._weights[id(weight)][1], bias)

    def forget(self) -> None:
        """Let go of what was read last."""
        self._read = None


@dataclass(frozen=True)
class Int8Head(LinearHead):
    """A head whose log-probabilities come from products in 8 bits; single logits stay as they are."""

    quantized: Int8Weight = field(kw_only=True)

    @classmethod
    def of(cls, head: LinearHead) -> "Int8Head":
        """The same head in 8 bits."""
        return cls(head.weight, head.bias, head.scale, head.softcap, quantized=int8_weight(head.weight))

    def _fused(self, outputs: Tensor, targets: Tensor, **options: Any) -> LinearLogp:
        return int8_linear_logp(outputs, self.quantized, targets, **options)
