"""Small models and batches for the tests of MrT5."""

from typing import Any

import torch
from torch import Tensor

from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration

SMALL = {
    "d_model": 48,
    "d_kv": 8,
    "d_ff": 40,
    "num_layers": 4,
    "num_decoder_layers": 2,
    "num_heads": 3,
    "delete_gate_layer": 2,
    "dropout_rate": 0.0,
}
BATCH = (30, 21, 9, 1, 26)  # lengths


def make(seed: int = 0, **changes: Any) -> MrT5ForConditionalGeneration:
    """A model in evaluation mode; every weight counts, and the gate deletes about half."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MrT5ForConditionalGeneration(MrT5Config(**(SMALL | changes))).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "layer_norm" in name:
                    parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
                elif "relative_attention_bias" in name:
                    parameter.copy_(torch.randn_like(parameter))
                elif "EncDecAttention.o" in name:
                    parameter.mul_(4)  # so that the decoder heeds its memory
                elif name.endswith("feed_forward.bias"):
                    parameter.fill_(0.2)
    return model


def example(seed: int = 1, pads: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """``input_ids`` [B, L], where there are tokens [B, L], ``labels`` [B, T]."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, 259, (len(BATCH), max(BATCH)), generator=random)
    mask = torch.arange(max(BATCH)) < torch.tensor(BATCH)[:, None]
    labels = torch.randint(3, 259, (len(BATCH), 7), generator=random)
    labels[0, 5:] = -100
    return (ids.masked_fill(~mask, 0), mask, labels) if pads else (ids, torch.ones_like(mask), labels)


def weights_of(model: MrT5ForConditionalGeneration) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}
