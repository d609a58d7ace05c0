"""Synthetic queries as JSON lines."""

import json
import os
from collections.abc import Sequence

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.ir.data.files import StrPath, as_path, read_objects, shown
from pyfastlm.ir.generation.results import SyntheticQuery


def write_queries(queries: Sequence[SyntheticQuery], path: StrPath) -> None:
    """Write queries, one a line; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    target = as_path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        for each in queries:
            file.write(json.dumps(each._asdict(), ensure_ascii=False).encode() + b"\n")


def read_queries(path: StrPath) -> list[SyntheticQuery]:
    """Read what :func:`write_queries` wrote; ``copied`` and ``overlap`` may be missing, and are NaN then.

    Raises:
        InputError: the file cannot be read or has no line, or a line has other fields.
    """
    found = []
    for where, value in read_objects(path):
        document, text = value.get("document"), value.get("text")
        shares = [value.get(name, float("nan")) for name in ("copied", "overlap")]
        if not (
            isinstance(document, str)
            and isinstance(text, str)
            and all(isinstance(share, int | float) for share in shares)
        ):
            raise InputError(f"{where}: expected an object with the texts 'document' (its id) and 'text'")
        found.append(SyntheticQuery(document, text, float(shares[0]), float(shares[1])))
    if not found:
        raise InputError(f"path: {shown(path)} has no line")
    return found
