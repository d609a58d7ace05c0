"""HotPotQA without its passages: what a model knows by heart, one module."""

import json
import os
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together.tasks.questions import pair, read_text, squad
from pyfastlm.together.tasks.task import Row, Sizes, Task, none

SIZES = Sizes(200, 100, 300)


def hotpot(path: "str | os.PathLike[str]", sizes: Sizes = SIZES) -> Task:
    """Read a JSON list of objects with ``question`` and ``answer``; other keys are left alone.

    Closed book: there is no retriever here, which the paper's program of three modules has, so numbers are
    not those of the paper. An answer is right where it is the gold one in SQuAD's normal form. A question
    that comes again is taken once.

    Args:
        path: the file.
        sizes: of the splits.

    Raises:
        InputError: the file cannot be read, or has another form.
    """
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"path: {os.fspath(path)!r} is not JSON") from error
    if not isinstance(values, list):
        raise InputError(f"path: {os.fspath(path)!r}: expected a list of objects")
    rows: dict[str, Row] = {}
    for number, value in enumerate(values):
        question, answer = pair(value, f"{os.fspath(path)!r}, object {number}")
        rows.setdefault(question, Row(f"hotpot-{number}", {"question": question}, answer))
    return Task(
        name="hotpot",
        rows=tuple(rows.values()),
        sizes=sizes,
        program=_program,
        output="answer",
        correct=lambda answer, gold: squad(answer) == squad(gold),
        provenance=f"HotPotQA, {len(rows):,} questions without passages",
        references=none,
    )


def _program() -> Any:
    return require("dspy", "together").Predict("question -> answer")
