"""Tasks from files."""

import json
import os

from pyfastlm.errors import InputError
from pyfastlm.icl.curves.task import Example, Task


def read_task(
    path: "str | os.PathLike[str]",
    *,
    input_key: str = "input",
    output_key: str = "output",
    labels: bool | None = None,
) -> Task:
    """Read a task: JSON lines with a question and an answer each.

    Args:
        path: of the file; its name without suffix is the task's.
        input_key, output_key: where they are in a line; answers may also be numbers.
        labels: whether the answers that occur are all that there are; by default where there are at most 20
            different ones, each twice on average or more.

    Raises:
        InputError: a line is no such object; names it. Or there is none.
    """
    name = os.path.basename(os.fspath(path)).partition(".")[0]
    examples = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    examples.append(_example(line, f"{os.fspath(path)}:{number}", input_key, output_key))
    except UnicodeDecodeError as error:
        raise InputError(
            f"path: {os.fspath(path)!r} is not UTF-8 ({error.reason} at {error.start})"
        ) from None
    if not examples:
        raise InputError(f"path: expected examples in {os.fspath(path)!r}, got none")
    answers = sorted({example.output for example in examples})
    few = len(answers) <= min(20, len(examples) // 2)
    return Task(name, tuple(examples), tuple(answers) if (few if labels is None else labels) else ())


def _example(line: str, where: str, input_key: str, output_key: str) -> Example:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: expected a JSON object, got {line[:40]!r} ({error})") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected a JSON object, got {line[:40]!r}")
    texts = []
    for key in (input_key, output_key):
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
            raise InputError(f"{where}: expected a text in {key!r}, got {value!r}")
        texts.append(str(value).strip())
    return Example(*texts)
