"""Tiny random models of any architecture that transformers has."""

from typing import Any

import torch
from tiny import EXTRA_ROWS, tiny_tokenizer

from pyfastlm.lm import LM

WIDTH = 32
COMMON = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def build(name: str, changes: dict[str, Any]) -> LM:
    import transformers

    tokenizer = tiny_tokenizer()
    config = getattr(transformers, f"{name}Config")(
        **(COMMON | {"vocab_size": len(tokenizer) + EXTRA_ROWS} | changes)
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        for parameter in model.parameters():  # biases start at zero, where a lost one would not show
            if parameter.ndim == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
    return LM(model, tokenizer, name)
