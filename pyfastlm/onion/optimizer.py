"""AdamW of a copier, and its moments on disk."""

from pathlib import Path

import torch

from pyfastlm.errors import InputError
from pyfastlm.onion.checkpoints import write_dictionary
from pyfastlm.onion.model import GRUCopier
from pyfastlm.onion.tensors import read_dictionary, tensors_of

FIRST, SECOND, STEP = "exp_avg", "exp_avg_sq", "step"


def adamw(model: GRUCopier, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """With torch's own betas, as the paper's code has it."""
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)


def save_moments(path: Path, model: GRUCopier, optimizer: torch.optim.AdamW) -> None:
    """Write both moments and the number of steps of each parameter, by its name."""
    content = {
        f"{what}.{name}": optimizer.state[parameter][what]
        for name, parameter in model.named_parameters()
        for what in (FIRST, SECOND, STEP)
    }
    write_dictionary(content, path)


def load_moments(path: Path, model: GRUCopier, optimizer: torch.optim.AdamW) -> None:
    """Put what :func:`save_moments` wrote into ``optimizer``.

    Raises:
        InputError: there is no such file, or something else in it.
    """
    parameters = dict(model.named_parameters())
    shapes = {
        f"{what}.{name}": () if what == STEP else tuple(parameter.shape)
        for name, parameter in parameters.items()
        for what in (FIRST, SECOND, STEP)
    }
    found = tensors_of(read_dictionary(path), shapes, path)
    for key, tensor in found.items():
        if not key.startswith(f"{FIRST}.") and bool((tensor < 0).any()):
            raise InputError(f"path: {key} in {str(path)!r} has negative numbers")
    state = {
        number: {what: found[f"{what}.{name}"] for what in (FIRST, SECOND, STEP)}
        for number, name in enumerate(parameters)
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
