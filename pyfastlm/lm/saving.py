"""A changed model as a directory that appears whole or not at all."""

import os
from pathlib import Path

from pyfastlm._durable import new_directory
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, quiet


def check_directory(path: "str | os.PathLike[str]") -> Path:
    """``path``, where a directory can be made.

    Raises:
        InputError: it is there already, or the directory above is not.
    """
    target = Path(path)
    if os.path.lexists(target):
        raise InputError(f"out: expected a new directory, but there is {str(target)!r}; choose another")
    if not target.absolute().parent.is_dir():
        raise InputError(f"out: there is no directory {str(target.absolute().parent)!r}; make it first")
    return target


def save_model(lm: LM, path: "str | os.PathLike[str]") -> None:
    """Write model and tokenizer, as :func:`pyfastlm.lm.load` reads them.

    Raises:
        InputError: as :func:`check_directory`.
        OSError: the disk is full, or the directory cannot be written; nothing is left then.
    """
    target = check_directory(path)
    with new_directory(target) as directory, quiet():
        lm.model.save_pretrained(directory)
        lm.tokenizer.save_pretrained(directory)
