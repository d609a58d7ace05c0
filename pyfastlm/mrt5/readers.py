"""Tasks from local files: XNLI, questions with a context (TyDi QA, SQuAD), and pairs of strings.

A file is JSON lines (``.jsonl``) or tab-separated with a header (``.tsv``), UTF-8. Every row must be right: a
wrong one is an error that names its line, because a benchmark with missing rows is another benchmark.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.mrt5.examples import Example, Listed
from pyfastlm.mrt5.vocabulary import encode

XNLI_LABELS = {"entailment": "0", "neutral": "1", "contradiction": "2", "contradictory": "2"}
StrPath = str | os.PathLike[str]
Fields = dict[str, Any]
Parsed = tuple[str, tuple[str, ...], str]  # input, answers, language


@dataclass(frozen=True, slots=True)
class Task:
    """Examples for training and loss, and for each the ``answers`` that count as right, the first one's
    bytes being its labels; ``longest`` is the most ids of labels."""

    data: Listed
    answers: tuple[tuple[str, ...], ...]
    longest: int


def read_xnli(path: StrPath, *, max_length: int = 1024) -> Task:
    """Natural language inference: ``Premise: … Hypothesis: …``, answered by ``0``, ``1`` or ``2``.

    Fields: ``premise`` and ``hypothesis`` (or ``sentence1``, ``sentence2``), ``label`` (or ``gold_label``):
    0, 1, 2 or entailment, neutral, contradiction; optionally ``language``.

    Args:
        path: the file.
        max_length: ids of an input at most, EOS included; longer ones are cut.

    Raises:
        InputError: the file is missing, empty or of another kind, or a row is wrong.
    """

    def parse(fields: Fields) -> Parsed:
        premise, hypothesis = (
            _text(fields, name, old) for name, old in (("premise", "sentence1"), ("hypothesis", "sentence2"))
        )
        label = fields.get("label", fields.get("gold_label"))
        answer = XNLI_LABELS.get(str(label).lower(), str(label))
        if isinstance(label, bool) or answer not in XNLI_LABELS.values():
            raise _Wrong(f"label: expected 0, 1, 2, entailment, neutral or contradiction, got {label!r}")
        return f"Premise: {premise} Hypothesis: {hypothesis}", (answer,), _language(fields)

    return _read(path, parse, max_length, max_length)


def read_qa(path: StrPath, *, max_length: int = 2048, max_answer_length: int = 256) -> Task:
    """Questions with their context: ``Question: … Context: …``, answered by a span of the context.

    Fields: ``question``, ``context``, ``answers``: a list of strings, or SQuAD's ``{"text": [...]}``, at
    least one; optionally ``language``, else the part of ``id`` before its first hyphen (TyDi QA's
    ``arabic-…``).

    Args:
        path: the file, JSON lines.
        max_length: ids of an input at most, EOS included; longer ones are cut.
        max_answer_length: of the labels, likewise.

    Raises:
        InputError: the file is missing, empty or of another kind, or a row is wrong.
    """

    def parse(fields: Fields) -> Parsed:
        answers = fields.get("answers")
        if isinstance(answers, dict):
            answers = answers.get("text")
        strings = isinstance(answers, list) and all(isinstance(answer, str) for answer in answers)
        if not strings or not answers:
            raise _Wrong(f"answers: expected a list of at least one string, got {answers!r}")
        question, context = _text(fields, "question"), _text(fields, "context")
        prefix, hyphen, _ = str(fields.get("id", "")).partition("-")
        language = _language(fields) or (prefix if hyphen else "")
        return f"Question: {question} Context: {context}", tuple(answers), language

    return _read(path, parse, max_length, max_answer_length)


def read_pairs(path: StrPath, *, max_length: int = 64, max_answer_length: int = 64) -> Task:
    """A character task: ``input`` and ``target``; optionally ``language``.

    Args:
        path: the file.
        max_length, max_answer_length: ids at most, EOS included (64 and 64 for contextual spelling
            correction, 128 and 16 for word search). A longer pair is an error: cut, it would be another task.

    Raises:
        InputError: the file is missing, empty or of another kind, or a row is wrong or too long.
    """

    def parse(fields: Fields) -> Parsed:
        source, target = _text(fields, "input"), _text(fields, "target")
        for name, text, most in (("input", source, max_length), ("target", target, max_answer_length)):
            if (size := len(text.encode("utf-8", "surrogatepass")) + 1) > most:
                raise _Wrong(f"{name}: expected at most {most} ids, EOS included, got {size}")
        return source, (target,), _language(fields)

    return _read(path, parse, max_length, max_answer_length)


READERS: dict[str, Callable[[StrPath], Task]] = {"xnli": read_xnli, "qa": read_qa, "pairs": read_pairs}


class _Wrong(Exception):
    """What is wrong with a row; becomes an :class:`InputError` with its place."""


def _read(path: StrPath, parse: Callable[[Fields], Parsed], longest: int, longest_answer: int) -> Task:
    for name, value in (("max_length", longest), ("max_answer_length", longest_answer)):
        if value < 2:
            raise InputError(f"{name}: expected at least 2 (a byte and EOS), got {value}")
    examples, answers = [], []
    for line, fields in _rows(Path(path)):
        try:
            source, truths, language = parse(fields)
            ids = encode(source, max_length=longest)
            labels = encode(truths[0], max_length=longest_answer)
        except (_Wrong, InputError) as error:
            raise InputError(f"path: {path}, line {line}: {error}") from None
        examples.append(Example(ids, labels, language))
        answers.append(truths)
    if not examples:
        raise InputError(f"path: {path} has no row")
    return Task(Listed(examples), tuple(answers), max(len(example.labels) for example in examples))


def _rows(path: Path) -> Iterator[tuple[int, Fields]]:
    """Each row of the file and its line, from 1."""
    parse = {".jsonl": _json_rows, ".tsv": _tsv_rows}.get(path.suffix.lower())
    if parse is None:
        raise InputError(f"path: expected a name ending in .jsonl or .tsv, got {path.name!r}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from parse(path, file)
    except UnicodeDecodeError as error:
        raise InputError(f"path: {path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise InputError(f"path: cannot read {str(path)!r}: {error.strerror}") from error


def _json_rows(path: Path, file: Any) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"path: {path}, line {number}: invalid JSON: {error.msg}") from None
        if not isinstance(fields, dict):
            raise InputError(
                f"path: {path}, line {number}: expected a JSON object, got {line.strip()[:40]!r}"
            )
        yield number, fields


def _tsv_rows(path: Path, file: Any) -> Iterator[tuple[int, Fields]]:
    rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows, [])
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            got = f"expected {len(header)} fields as in the header, got {len(row)}"
            raise InputError(f"path: {path}, line {rows.line_num}: {got}")
        yield rows.line_num, dict(zip(header, row, strict=True))


def _text(fields: Fields, name: str, old: str = "") -> str:
    value = fields.get(name, fields.get(old))
    if value is None:
        raise _Wrong(f"{name}: expected a string, got none")
    if not isinstance(value, str):
        raise _Wrong(f"{name}: expected a string, got {value!r}")
    return value


def _language(fields: Fields) -> str:
    language = fields.get("language", "")
    if not isinstance(language, str):
        raise _Wrong(f"language: expected a string, got {language!r}")
    return language
