"""Results as JSON, each with the name of its form."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath


def write_json(path: StrPath, form: str, value: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Write ``value`` and the name of its ``form``; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    text = json.dumps({"format": form, **value}, indent=indent, allow_nan=False)
    with replacing(target, target.with_name(f".{target.name}-{os.getpid()}")) as file:
        file.write(text.encode() + b"\n")


def read_json(path: StrPath, form: str, what: str) -> dict[str, Any]:
    """What :func:`write_json` wrote; ``what`` says in an error what should be there.

    Raises:
        InputError: it is no such file.
    """
    name = os.fspath(path)
    try:
        value = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"path: cannot read {name!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"path: {name!r} is no JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != form:
        raise InputError(f"path: {name!r} {what}")
    return value
