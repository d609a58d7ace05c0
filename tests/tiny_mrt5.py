"""An MrT5 small enough for every test, and texts for it."""

from typing import TYPE_CHECKING, Any

from tiny import SENTENCES

if TYPE_CHECKING:
    from pyfastlm.mrt5.corruption import CorruptedText
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

SHAPE: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 3,
    "delete_gate_layer": 1,
    "dropout_rate": 0.1,
}


def tiny_mrt5(*, seed: int = 0, **changes: Any) -> "MrT5ForConditionalGeneration":
    """Random weights; the same ``seed`` gives the same ones. ``changes`` go to the configuration."""
    import torch

    from pyfastlm.mrt5.config import MrT5Config
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MrT5ForConditionalGeneration(MrT5Config(**(SHAPE | changes)))


def open_gate(model: "MrT5ForConditionalGeneration", *, seed: int = 0) -> "MrT5ForConditionalGeneration":
    """Spread the gate's weights, so that about half of the tokens of an untrained model are deleted."""
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for name, weight in model.named_parameters():
            if name.endswith("delete_gate.feed_forward.weight"):
                weight.normal_(0, 1)
            elif name.endswith("delete_gate.feed_forward.bias"):
                weight.zero_()
    return model


def tiny_data(*, input_length: int = 48, seed: int = 0) -> "CorruptedText":
    """Windows of text in two languages, with several spans each."""
    from pyfastlm.mrt5.corruption import SpanCorruption

    corruption = SpanCorruption(input_length=input_length, mean_span_length=4, seed=seed)
    return corruption.data({"en": SENTENCES[:1] * 6, "zh": SENTENCES[6:7] * 6})
