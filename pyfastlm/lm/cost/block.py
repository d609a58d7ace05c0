"""Layers of a model without their products and without attention: what is left costs time as well."""

import copy
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.lm.attention import Layout
from pyfastlm.lm.body import PackedBody
from pyfastlm.lm.packing import Piece
from pyfastlm.lm.runner import TOKENS_PER_BATCH

WORDS = 8  # of the vocabulary, which does not matter here
SHORT = 64  # tokens of a document; some models have no position for many more


class Block:
    """A model with a few layers of random weights, whose products return numbers made before.

    Args:
        config: of transformers.
        layers: how many.
    """

    def __init__(self, config: Any, layers: int) -> None:
        transformers = require("transformers", "lm")
        self._inputs: list[Tensor] = []
        module = transformers.AutoModel.from_config(_small(config, layers)).eval()
        kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
        for parent in [*module.modules()]:
            for name, part in [*parent.named_children()]:
                if type(part) in kinds:
                    columns = part.weight.shape[0 if type(part) is torch.nn.Linear else 1]
                    setattr(parent, name, _Made(columns, self._inputs))
        self._body = PackedBody(module)
        pieces = [Piece(np.zeros(SHORT, np.int32)) for _ in range(TOKENS_PER_BATCH // SHORT)]
        self._layout = _Passing(pieces)

    @torch.inference_mode()
    def run(self) -> None:
        """All layers, for the tokens of one batch."""
        self._inputs.clear()
        self._body.laid(self._layout)

    def reads(self) -> Counter[int]:
        """How many tensors products read, by their width; one that several read in a row counts once."""
        self.run()
        return Counter(x.shape[-1] for x in self._inputs)


class _Made(torch.nn.Module):
    """In the place of a linear layer."""

    def __init__(self, columns: int, inputs: list[Tensor]) -> None:
        super().__init__()
        self._out = torch.randn(1, TOKENS_PER_BATCH, columns)
        self._inputs = inputs

    def forward(self, x: Tensor) -> Tensor:
        if not self._inputs or self._inputs[-1] is not x:
            self._inputs.append(x)
        return self._out.view(*x.shape[:-1], -1)


class _Passing(Layout):
    """Attention that costs nothing: the query is what comes out."""

    def __init__(self, batch: list[Piece]) -> None:
        super().__init__(batch, (), torch.device("cpu"), torch.float32)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float | None) -> Tensor:
        return q.transpose(1, 2)


def _small(config: Any, layers: int) -> Any:
    small = copy.deepcopy(config)
    small.num_hidden_layers, small.vocab_size = layers, WORDS
    small.pad_token_id = small.bos_token_id = small.eos_token_id = None
    if getattr(small, "layer_types", None):
        small.layer_types = small.layer_types[:layers]
    return small
