"""Copiers on disk: a plain dictionary of tensors whose GRU part ``nn.GRU`` loads as it is."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.onion.model import CopierConfig, GRUCopier
from pyfastlm.onion.tensors import read_dictionary, tensors_of
from pyfastlm.ops._dispatch import Impl

CONFIG = "config"
FIELDS = {
    "N": int, "n_symbols": int, "min_len": int, "max_len": int, "no_input": bool, "seed": int, "steps": int,
}  # fmt: skip


def save_model(model: GRUCopier, path: "str | os.PathLike[str]") -> None:
    """Write ``embedding.weight``, ``rnn.weight_ih_l0``, ``rnn.weight_hh_l0``, ``rnn.bias_ih_l0``,
    ``rnn.bias_hh_l0``, ``fc.weight``, ``fc.bias`` and ``config`` (N, n_symbols, min_len, max_len, no_input,
    seed, steps) by ``torch.save``. The file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    config = dataclasses.asdict(model.config)
    config = {"N": config.pop("size"), **config}
    write_dictionary({**model.state_dict(), CONFIG: config}, path)


def load_model(path: "str | os.PathLike[str]", *, impl: Impl = "auto") -> GRUCopier:
    """The model that :func:`save_model` wrote; nothing in the file is run.

    Raises:
        InputError: there is no such file, or something else in it.
    """
    content = read_dictionary(path)
    config = _config(content.pop(CONFIG, None), path)
    n, v = config.size, config.n_symbols
    shapes = {
        "embedding.weight": (v + 2, n),
        "rnn.weight_ih_l0": (3 * n, n),
        "rnn.weight_hh_l0": (3 * n, n),
        "rnn.bias_ih_l0": (3 * n,),
        "rnn.bias_hh_l0": (3 * n,),
        "fc.weight": (v, n),
        "fc.bias": (v,),
    }
    weights = tensors_of(content, shapes, path)
    model = GRUCopier(config, impl=impl).to(weights["fc.bias"].dtype)
    model.load_state_dict(weights)
    return model


def write_dictionary(content: dict[str, Any], path: "str | os.PathLike[str]") -> None:
    """``torch.save`` under a temporary name, then renamed."""
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        torch.save(content, file)


def _config(found: object, path: "str | os.PathLike[str]") -> CopierConfig:
    name = os.fspath(path)
    if not isinstance(found, dict) or set(found) != set(FIELDS):
        raise InputError(f"path: {name!r} has no config of a copier ({', '.join(FIELDS)})")
    for field, kind in FIELDS.items():
        if type(found[field]) is not kind:
            raise InputError(f"path: {name!r} has a {field} that is no {kind.__name__}")
    try:
        return CopierConfig(size=found["N"], **{field: found[field] for field in FIELDS if field != "N"})
    except InputError as error:
        raise InputError(f"path: {name!r} has a wrong config: {error}") from error
