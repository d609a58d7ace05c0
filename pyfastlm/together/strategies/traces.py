"""The log of bootstrapped traces: a line of JSON for every call of a module."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.together.strategies.calls import Answer
from pyfastlm.together.tasks.questions import objects

NAMES = ("example_id", "module", "inputs", "outputs", "passed", "lm_id", "prompt_hash")


class Trace(NamedTuple):
    """A call of a module while traces were bootstrapped.

    Attributes:
        example_id: of the row.
        module: by its name in the program.
        inputs, outputs: fields of the module.
        passed: whether the whole run's final answer was right.
        lm_id: the model that was called.
        prompt_hash: SHA-256 of the messages it was sent, demonstrations included.
    """

    example_id: str
    module: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    passed: bool
    lm_id: str
    prompt_hash: str


def traces(found: Iterable[Answer]) -> list[Trace]:
    """One for every call of some runs."""
    return [
        Trace(answer.row.id, call.module, call.inputs, call.outputs, answer.passed, call.lm, call.prompt)
        for answer in found
        for call in answer.calls
    ]


def write_traces(found: Sequence[Trace], path: Path) -> None:
    """Write a log; it appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        for trace in found:
            file.write(json.dumps(trace._asdict(), ensure_ascii=False, default=str).encode() + b"\n")


def read_traces(path: "str | os.PathLike[str]") -> list[Trace]:
    """Read a log.

    Raises:
        InputError: it cannot be read, or a line has other keys or types.
    """
    found = []
    for number, value in objects(path):
        if not (
            isinstance(value, dict)
            and set(value) == set(NAMES)
            and all(isinstance(value[name], str) for name in ("example_id", "module", "lm_id", "prompt_hash"))
            and all(isinstance(value[name], dict) for name in ("inputs", "outputs"))
            and isinstance(value["passed"], bool)
        ):
            raise InputError(
                f"path: {os.fspath(path)!r}, line {number}: expected the keys {', '.join(NAMES)}"
            )
        found.append(Trace(**value))
    return found
