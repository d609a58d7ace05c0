"""Adapters in the files of PEFT: adapter_model.safetensors and adapter_config.json."""

import json
import math
import os
from pathlib import Path
from typing import Any

import torch

from pyfastlm._durable import new_directory
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.saving import check_directory
from pyfastlm.together.adapter import Adapter

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
LARGEST_CONFIG = 1 << 20  # bytes
_BEFORE, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
# What PEFT can do beside the plain product; files that ask for it would be read wrongly.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "use_dora": (False, None),
    "use_rslora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "rank_pattern": ({}, None),
    "alpha_pattern": ({}, None),
    "layer_replication": (None, []),
}


def save(adapter: Adapter, directory: "str | os.PathLike[str]", base: str) -> None:
    """Write ``adapter`` into a new directory, which appears whole or not at all.

    Raises:
        InputError: the directory exists, or the one above does not.
    """
    target = check_directory(directory)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(adapter.pairs),
        "inference_mode": True,
    }
    tensors = {}
    for name, (down, up) in adapter.pairs.items():
        tensors[f"{_BEFORE}{name}{_DOWN}"] = down.detach().cpu().contiguous()
        tensors[f"{_BEFORE}{name}{_UP}"] = up.detach().cpu().contiguous()
    with new_directory(target) as home:
        require("safetensors.torch", "lm").save_file(tensors, home / TENSORS, {"format": "pt"})
        (home / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def load(directory: Path, model: Any) -> Adapter:
    """The adapter in ``directory``, checked against the layers of ``model``.

    Raises:
        InputError: a file is missing or damaged, asks for more than a plain low-rank product, or does not
            fit the model.
    """
    rank, alpha = _config(directory / CONFIG)
    path = directory / TENSORS
    try:
        tensors = require("safetensors.torch", "lm").load_file(path)
    except (OSError, ValueError, require("safetensors", "lm").SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"directory: cannot read {str(path)!r}: {reason}") from error
    layers = {name: m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    pairs = {}
    for key in sorted(tensors):
        name = key.removeprefix(_BEFORE).removesuffix(_DOWN)
        if key != f"{_BEFORE}{name}{_DOWN}":
            continue
        if name not in layers:
            raise InputError(f"directory: {str(path)!r} adapts {name!r}, which the model does not have")
        weight = layers[name].weight
        found = [tensors.pop(key), tensors.pop(f"{_BEFORE}{name}{_UP}", None)]
        shapes = [[rank, weight.shape[1]], [weight.shape[0], rank]]
        for tensor, shape in zip(found, shapes, strict=True):
            if tensor is None or list(tensor.shape) != shape or not tensor.dtype.is_floating_point:
                got = "nothing" if tensor is None else f"{list(tensor.shape)} {tensor.dtype}"
                raise InputError(f"directory: {str(path)!r}: expected {shape} for {name!r}, got {got}")
            if not bool(torch.isfinite(tensor).all()):
                raise InputError(f"directory: {str(path)!r}: {name!r} is not finite")
        down, up = (tensor.to(dtype=weight.dtype, device=weight.device) for tensor in found)
        pairs[name] = down, up
    if tensors or not pairs:
        what = f"{min(tensors)!r}" if tensors else "nothing"
        raise InputError(f"directory: {str(path)!r} holds {what}, which is no part of an adapter")
    return Adapter(rank, alpha, pairs)


def _config(path: Path) -> tuple[int, float]:
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise InputError(f"directory: {str(path)!r} is too large for a configuration")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"directory: cannot read {str(path)!r}: {type(error).__name__}") from error
    if not isinstance(config, dict):
        raise InputError(f"directory: {str(path)!r}: expected an object")
    for name, allowed in _PLAIN.items():
        if name in config and config[name] not in allowed:
            raise InputError(f"directory: {str(path)!r}: {name} {config[name]!r} is not supported")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank < 1:
        raise InputError(f"directory: {str(path)!r}: expected a whole number >= 1 for r, got {rank!r}")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise InputError(f"directory: {str(path)!r}: expected a number for lora_alpha, got {alpha!r}")
    return rank, float(alpha)
