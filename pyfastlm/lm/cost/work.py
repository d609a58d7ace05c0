"""What one token costs in a model, counted from its modules."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.head import linear_head


@dataclass(frozen=True)
class ModelWork:
    """What a causal language model does for a token.

    Attributes:
        products: how often each layer shape (D numbers in, V out) is multiplied.
        head: the last projection's (D, V).
        layers, heads, head_dim: of attention.
        parameters: of the whole model, tied ones once.
        bytes_each: of a parameter.
    """

    products: tuple[tuple[tuple[int, int], int], ...]
    head: tuple[int, int]
    layers: int
    heads: int
    head_dim: int
    parameters: int
    bytes_each: int

    @property
    def trunk_macs(self) -> int:
        """Multiplications of a token in the layers below the head."""
        return sum(dim * out * count for (dim, out), count in self.products)

    @property
    def head_macs(self) -> int:
        """Multiplications of a token in the last projection."""
        return self.head[0] * self.head[1]

    @property
    def pair_macs(self) -> int:
        """Multiplications of a token and one it sees: its score, and its share of the sum."""
        return 2 * self.layers * self.heads * self.head_dim

    @property
    def weight_bytes(self) -> int:
        """What a machine has to fetch before it can score."""
        return self.parameters * self.bytes_each


def model_work(model: Any) -> ModelWork:
    """Count what a model of transformers does for a token; its weights are not read.

    Args:
        model: a causal language model; or a configuration, of which one is made without weights (on torch's
            device ``meta``), so that models of any size can be counted.

    Raises:
        InputError: its last projection is no plain one.
    """
    transformers = require("transformers", "lm")
    if isinstance(model, transformers.PreTrainedConfig):
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(model)
    head = linear_head(model)
    if head is None:
        raise InputError("model: expected one whose last projection is a plain linear layer")
    last = model.get_output_embeddings()
    shapes: Counter[tuple[int, int]] = Counter()
    for part in model.modules():
        if type(part) is torch.nn.Linear and part is not last:
            shapes[part.in_features, part.out_features] += 1
        elif type(part) is transformers.pytorch_utils.Conv1D:
            shapes[part.weight.shape[0], part.weight.shape[1]] += 1
    config = model.config.get_text_config()
    return ModelWork(
        products=tuple(sorted(shapes.items())),
        head=(head.weight.shape[1], head.weight.shape[0]),
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        parameters=sum(each.numel() for each in model.parameters()),
        bytes_each=next(model.parameters()).element_size(),
    )
