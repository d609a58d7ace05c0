"""A fine-tuned model in the directory of a long run, so that a killed one need not train it again."""

import os
import shutil
from pathlib import Path

from pyfastlm._durable import fsync_directory
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, quiet

NAME = "tuned"
TEMPORARY = "tuned.tmp"


def save(lm: LM, directory: Path) -> None:
    """Write the model of ``lm`` to ``directory/tuned``: whole, or not at all.

    Raises:
        OSError: the disk is full, or the directory cannot be written.
    """
    temporary, target = directory / TEMPORARY, directory / NAME
    for left in (temporary, target):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    with quiet():
        lm.model.save_pretrained(temporary)
    for path in temporary.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    fsync_directory(temporary)
    temporary.rename(target)
    fsync_directory(directory)


def load(lm: LM, directory: Path, fingerprint: str) -> LM | None:
    """The model in ``directory/tuned``, fine-tuned from ``lm``; None where there is none, or no fingerprint.

    Raises:
        InputError: it is damaged, or another than that of ``fingerprint``.
    """
    path = directory / NAME
    if not fingerprint or not path.is_dir():
        return None
    damage = (OSError, ValueError, LookupError, RuntimeError, require("safetensors", "lm").SafetensorError)
    try:
        with quiet():
            model = type(lm.model).from_pretrained(
                path, dtype=lm.model.dtype, local_files_only=True, use_safetensors=True
            )
        found = LM(model.to(lm.model.device).eval(), lm.tokenizer, f"{lm.name}, fine-tuned")
        if found.fingerprint == fingerprint:
            return found
        reason = "another model"
    except damage as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    raise InputError(f"saved: cannot load {str(path)!r} ({reason}); remove it, and it is trained again")
