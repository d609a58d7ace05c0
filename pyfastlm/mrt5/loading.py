"""A model from a directory, a training run, the hub, or from nothing but a name for its size."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import quiet
from pyfastlm.lm.run_directory import newest_checkpoint
from pyfastlm.mrt5.kinds import LEARNED, POOLING

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

# Models to train from scratch. "small" is ByT5-small; "diagnostic" that of the paper's sanity tasks.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "d_model": 128,
        "d_kv": 32,
        "d_ff": 256,
        "num_layers": 4,
        "num_decoder_layers": 2,
        "num_heads": 4,
        "delete_gate_layer": 2,
        "dropout_rate": 0.0,
    },
    "diagnostic": {
        "d_model": 512,
        "d_ff": 1024,
        "num_layers": 9,
        "num_decoder_layers": 3,
        "num_heads": 4,
    },
    "small": {},
}


def new_model(size: str, *, seed: int = 0, **changes: Any) -> "MrT5ForConditionalGeneration":
    """A model with random weights, in training mode.

    Args:
        size: one of ``SIZES``.
        seed: of the weights; torch's own state is left as it was.
        changes: keys of :class:`~pyfastlm.mrt5.config.MrT5Config`.

    Raises:
        InputError: an unknown size, or a value that is out of range.
    """
    from pyfastlm.mrt5.config import MrT5Config
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

    if size not in SIZES:
        raise InputError(f"size: expected one of {', '.join(SIZES)}, got {size!r}")
    config = MrT5Config(**(SIZES[size] | changes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MrT5ForConditionalGeneration(config)


def start_model(
    name_or_path: "str | os.PathLike[str] | None",
    size: str,
    *,
    gate: bool,
    pooling: str | None = None,
    seed: int = 0,
    **changes: Any,
) -> "MrT5ForConditionalGeneration":
    """A model to train: that of ``name_or_path``, or where it is None a new one of ``size``.

    Args:
        name_or_path: see :func:`load_model`.
        size: see :func:`new_model`.
        gate: whether to delete. A model that has a gate keeps it, one that has none gets a fresh one; without
            ``gate`` a gate is left out.
        pooling: in place of a gate, ``boundary`` or ``convolution``: kept where the model has it, else fresh.
        seed: of fresh weights.
        changes: keys of :class:`~pyfastlm.mrt5.config.MrT5Config` to change.

    Raises:
        InputError: as the two; an unknown pooling; the model has a gate and shall pool, or the other way
            round.
    """
    if pooling not in (None, *POOLING):
        raise InputError(f"pooling: expected one of {', '.join(POOLING)}, got {pooling!r}")
    kind = pooling or ("scaled_sigmoid" if gate else None)
    if name_or_path is None:
        return new_model(size, seed=seed, deletion_type=kind, **changes)
    model = load_model(name_or_path, **changes)
    found = model.config.deletion_type
    if found == kind or (kind == "scaled_sigmoid" and found in LEARNED):
        return model
    if found is not None and kind is not None:
        raise InputError(f"model: its deletion_type is {found!r}, which cannot become {kind!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return load_model(name_or_path, deletion_type=kind, **changes)


def load_model(name_or_path: "str | os.PathLike[str]", **changes: Any) -> "MrT5ForConditionalGeneration":
    """A trained model, in evaluation mode.

    Args:
        name_or_path: a directory with a model, that of a training run (its newest checkpoint is taken), or a
            model id on the hub; a ByT5 too.
        changes: keys of :class:`~pyfastlm.mrt5.config.MrT5Config` to change; ``deletion_type`` gives a ByT5
            a fresh gate or pooling.

    Raises:
        InputError: there is no such model, or it is neither MrT5 nor ByT5.
    """
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

    name = os.fspath(name_or_path)
    path = Path(name).expanduser()
    if path.is_dir():
        found = path if (path / "config.json").exists() else newest_checkpoint(path)
        if found is None:
            raise InputError(f"name_or_path: {name!r} holds neither a model nor a checkpoint of training")
        name = str(found)
    elif path.exists() or not name or name.startswith(("/", ".", "~")):
        raise InputError(f"name_or_path: expected a directory or a model id, got {name!r}")
    errors = (OSError, ValueError, LookupError, RuntimeError, require("safetensors", "lm").SafetensorError)
    with quiet():
        try:
            model: MrT5ForConditionalGeneration = MrT5ForConditionalGeneration.from_pretrained(
                name, **changes
            )
        except InputError:
            raise
        except errors as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = lines[0].rstrip(".")
            raise InputError(f"name_or_path: cannot load an MrT5 from {name!r}: {reason}") from error
    model.eval()
    return model
