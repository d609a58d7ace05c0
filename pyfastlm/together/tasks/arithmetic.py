"""GSM8K: grade-school arithmetic in words, one module that thinks first."""

import os
from typing import Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together.tasks.questions import last_number, objects, pair
from pyfastlm.together.tasks.task import Row, Sizes, Task, none

SIZES = Sizes(200, 100, 300)
MARK = "####"


def gsm8k(path: "str | os.PathLike[str]", sizes: Sizes = SIZES) -> Task:
    """Read ``train.jsonl`` or ``test.jsonl`` of GSM8K: ``question``, and ``answer`` that ends in ``#### n``.

    The gold answer is the number alone: the worked solution before it is dropped here, so nothing can be
    trained on it. An answer is right where its last number is the gold one. A question that comes again is
    taken once.

    Args:
        path: the file.
        sizes: of the splits.

    Raises:
        InputError: the file cannot be read, or a line has another form.
    """
    rows: dict[str, Row] = {}
    for number, value in objects(path):
        where = f"{os.fspath(path)!r}, line {number}"
        question, solution = pair(value, where)
        gold = solution.rpartition(MARK)[2] if MARK in solution else ""
        if last_number(gold) is None:
            raise InputError(f"path: {where}: expected an answer that ends in '{MARK} n', n a number")
        rows.setdefault(question, Row(f"gsm8k-{number}", {"question": question}, gold.strip()))
    return Task(
        name="gsm8k",
        rows=tuple(rows.values()),
        sizes=sizes,
        program=_program,
        output="answer",
        correct=lambda answer, gold: last_number(answer) == last_number(gold),
        provenance=f"GSM8K, {len(rows):,} questions",
        references=none,
    )


def _program() -> Any:
    return require("dspy", "together").ChainOfThought("question -> answer")
