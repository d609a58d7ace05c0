"""The blocks of a causal LM, found by their number and not by the name of the architecture."""

from typing import Any

import torch

from pyfastlm.errors import InputError


def blocks_of(model: Any) -> list[torch.nn.Module]:
    """The shallowest list of as many modules as the configuration has layers, in their order.

    Raises:
        InputError: there is none.
    """
    count = model.config.get_text_config().num_hidden_layers
    lists = [
        (name.count("."), module)
        for name, module in model.get_decoder().named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == count
    ]
    if not lists:
        raise InputError(
            f"lm: expected a list of {count} blocks in {type(model).__name__}, found none; models like "
            "GPT-2, GPT-Neo, GPT-NeoX, OPT and Llama have one"
        )
    return [*min(lists, key=lambda found: found[0])[1]]
