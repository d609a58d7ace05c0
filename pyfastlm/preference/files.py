"""Files of rows and of pairs: JSON lines, read whole, written by one rename."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files import lines
from pyfastlm.lm.files.inputs import StrPath, resolve
from pyfastlm.preference.builders.outcome import Built
from pyfastlm.preference.builders.rows import Row
from pyfastlm.preference.pairs import PreferencePair, from_rows


def read_rows(path: StrPath, *, prompt_key: str = "prompt", response_key: str = "response") -> list[Row]:
    """Rows of a prompt and an answer.

    Args:
        path: a file of JSON lines, also ``.gz`` or ``.zst``, or "-".
        prompt_key, response_key: where they are in a line.

    Raises:
        InputError: the file is missing or damaged, or a line has no such texts; names file and line.
    """
    keys = (prompt_key, response_key)
    return [Row(*texts) for texts in _texts(path, keys)]


def read_prompts(path: StrPath, *, prompt_key: str = "prompt") -> list[str]:
    """Prompts alone, of such a file.

    Raises:
        InputError: as :func:`read_rows`.
    """
    return [prompt for (prompt,) in _texts(path, (prompt_key,))]


def read_pairs(path: StrPath) -> list[PreferencePair]:
    """Pairs, in any of the forms that :func:`pyfastlm.preference.pairs.from_rows` takes.

    Raises:
        InputError: the file is missing, damaged or empty, or a line is no pair; names file and line.
    """
    found = []
    for where, fields in _objects(path):
        try:
            found += from_rows([fields])
        except InputError as error:
            raise InputError(f"{where}: {str(error).removeprefix('rows[0]: ')}") from None
    return found


def write_pairs(built: Built, path: StrPath) -> None:
    """Write the pairs as JSON lines, in the order of the rows; and beside them why other rows gave none.

    That file, ``<stem>.rejected.jsonl``, has the number of each such row (from 1), the reason and a detail;
    it is removed where there is no such row. Both appear whole, it first.

    Raises:
        OSError: a file cannot be written.
    """
    target = Path(path)
    rejects = target.with_name(target.stem + ".rejected.jsonl")
    refused: list[dict[str, Any]] = [
        {"row": number, "reason": outcome.reason, "detail": outcome.detail}
        for number, outcome in enumerate(built.outcomes, 1)
        if outcome.pair is None
    ]
    if refused:
        _write(refused, rejects)
    else:
        rejects.unlink(missing_ok=True)
    _write(map(asdict, built.pairs), target)


def _write(rows: Iterable[dict[str, Any]], path: Path) -> None:
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _texts(path: StrPath, keys: Sequence[str]) -> Iterator[list[str]]:
    for where, fields in _objects(path):
        texts = [fields.get(key) for key in keys]
        for key, text in zip(keys, texts, strict=True):
            if not isinstance(text, str):
                got = f"got {lines.json_type(text)}" if key in fields else "got none"
                raise InputError(f"{where}: expected a string as {key!r}, {got}")
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InputError(f"{where}: {key!r} is no Unicode: lone surrogate at {error.start}") from None
        yield [text for text in texts if text is not None]


def _objects(path: StrPath) -> Iterator[tuple[str, dict[str, Any]]]:
    (source, *more) = resolve(path)
    if more or source.format != "jsonl":
        raise InputError(f"path: expected one file of JSON lines (.jsonl, .gz, .zst), got {str(path)!r}")
    number = 0
    for number, fields in lines.json_objects(source):
        yield f"path: {source.name!r}, line {number:,}", fields
    if not number:
        raise InputError(f"path: {source.name!r} has no row")
