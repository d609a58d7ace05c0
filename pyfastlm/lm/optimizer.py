"""AdamW, and its state in a safetensors file by the names of the parameters; nothing is ever unpickled."""

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyfastlm._require import require
from pyfastlm.errors import InputError

STATE = "optimizer.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")  # shaped as their parameter
STEP = "step"
FUSED = ("cpu", "cuda")
BETAS = (0.9, 0.95)


def adamw(model: Any, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """The optimiser of all that ``model`` can learn, betas 0.9 and 0.95 as GPT-NeoX models are trained."""
    parameters = [parameter for _, parameter in _learned(model)]
    fused = all(p.device.type in FUSED and p.dtype.is_floating_point for p in parameters)
    return torch.optim.AdamW(parameters, lr=lr, betas=BETAS, weight_decay=weight_decay, fused=fused)


def save_state(path: Path, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Write ``{what}.{parameter}`` for both moments and the number of steps of each parameter."""
    tensors = {
        f"{what}.{name}": optimizer.state[parameter][what].detach().cpu().contiguous()
        for name, parameter in _learned(model)
        if parameter in optimizer.state
        for what in (*MOMENTS, STEP)
    }
    require("safetensors.torch", "lm").save_file(tensors, path)


def load_state(path: "str | os.PathLike[str]", model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put a state that :func:`save_state` wrote into ``optimizer``.

    Args:
        path: the file, or the directory of a checkpoint that has it.

    Raises:
        InputError: it is missing, damaged, of another model, or not finite.
    """
    file = state_file(path)
    try:
        tensors: dict[str, Tensor] = require("safetensors.torch", "lm").load_file(file)
    except (OSError, ValueError, require("safetensors", "lm").SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"optimizer_state: cannot read {str(file)!r}: {reason}") from error
    state: dict[int, dict[str, Tensor]] = {}
    for number, (name, parameter) in enumerate(_learned(model)):
        own = {what: tensors.pop(f"{what}.{name}", None) for what in (*MOMENTS, STEP)}
        if all(tensor is None for tensor in own.values()):
            continue  # it has never had a gradient
        state[number] = {what: _checked(own[what], what, name, parameter, file) for what in own}
    if tensors or not state:
        what = f"{min(tensors)!r}" if tensors else "nothing"
        raise InputError(f"optimizer_state: {str(file)!r} holds {what}, which is not of this model")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def state_file(path: "str | os.PathLike[str]") -> Path:
    """The file with the state itself, where ``path`` may be its directory."""
    given = Path(path)
    return given / STATE if given.is_dir() else given


def state_digest(path: "str | os.PathLike[str] | None") -> str:
    """A hash of a file with a state; "none" without one."""
    if path is None:
        return "none"
    file = state_file(path)
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    except OSError as error:
        raise InputError(f"optimizer_state: cannot read {str(file)!r}: {error.strerror}") from error


def _learned(model: Any) -> list[tuple[str, Tensor]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _checked(tensor: Tensor | None, what: str, name: str, parameter: Tensor, file: Path) -> Tensor:
    shape = [] if what == STEP else list(parameter.shape)
    if tensor is None or list(tensor.shape) != shape or not tensor.dtype.is_floating_point:
        got = "nothing" if tensor is None else f"{list(tensor.shape)} {tensor.dtype}"
        raise InputError(
            f"optimizer_state: {str(file)!r}: expected {shape} for {what}.{name}, got {got}; "
            "it is of another model"
        )
    if not bool(torch.isfinite(tensor).all()) or (what != MOMENTS[0] and bool((tensor < 0).any())):
        raise InputError(f"optimizer_state: {str(file)!r}: {what}.{name} is not finite, or negative")
    return tensor
