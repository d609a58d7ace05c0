"""Sequences whose memorisation is studied, from JSON files; the format of the original repository.

Source: ``scripts/train_with_injection.py`` in ``explanare/verbatim-memorization``.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError

SUFFIX = "_transform"
MOST_BYTES = 1 << 28
ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class NamedSequence:
    """One text. ``id`` is ``group/key``; ``transform`` says what was done to the text before it was written
    down, in the words of the file ("original" where it says nothing)."""

    id: str
    group: str
    key: str
    text: str
    transform: str


def read_sequences(path: "str | os.PathLike[str]") -> list[NamedSequence]:
    """The sequences of a file ``{group: {key: text}, group_transform: name}``, in its order.

    ``group_transform`` is one name, or one for each key of the group, and may be missing.

    Raises:
        InputError: the file is missing, too large, no such JSON, or says something twice.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"path: {str(file)!r} is larger than {MOST_BYTES >> 20} MiB; split it")
        found = json.loads(file.read_bytes(), object_pairs_hook=_once)
    except OSError as error:
        raise InputError(f"path: cannot read {str(file)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"path: {str(file)!r} is not JSON: {error}") from error
    return _sequences(found, str(file))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError(f"path: the file has the name {name!r} twice; keep one")
        found[name] = value
    return found


def _sequences(found: Any, name: str) -> list[NamedSequence]:
    if not isinstance(found, dict) or not found:
        raise InputError(f"path: {name!r}: expected an object with groups of texts, got {_kind(found)}")
    groups = {group: texts for group, texts in found.items() if not _names_transform(group, found)}
    sequences = []
    for group, texts in groups.items():
        if not isinstance(texts, dict) or not texts:
            raise InputError(f"path: {name!r}: group {group!r}: expected {{key: text}}, got {_kind(texts)}")
        transform = found.get(group + SUFFIX, ORIGINAL)
        for key, text in texts.items():
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"path: {name!r}: {group}/{key}: expected a text, got {_kind(text)}")
            _refuse_surrogates(text, f"{name!r}: {group}/{key}")
            how = transform.get(key) if isinstance(transform, dict) else transform
            if not isinstance(how, str):
                raise InputError(f"path: {name!r}: {group}{SUFFIX}: expected a name for {key!r}")
            sequences.append(NamedSequence(f"{group}/{key}", group, key, text, how))
    return sequences


def _names_transform(name: str, found: dict[str, Any]) -> bool:
    return name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in found


def _refuse_surrogates(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"path: {where}: expected Unicode text, got a lone surrogate") from error


def _kind(value: Any) -> str:
    if isinstance(value, str | dict | list) and not value:
        return f"an empty {type(value).__name__}"
    return "blank text" if isinstance(value, str) and not value.strip() else type(value).__name__
