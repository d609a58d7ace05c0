"""TREC's files: judgements ``query 0 document relevance``, runs ``query Q0 document rank score tag``."""

import math
import os
from collections.abc import Iterable, Mapping

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.ir.data.files import StrPath, as_path, read_lines, shown
from pyfastlm.ir.measures.ranking import Qrel, Run, check_qrel, check_run, ordered

TAG = "pyfastlm"


def read_qrels(path: StrPath) -> dict[str, dict[str, int]]:
    """Relevance by query and document.

    Raises:
        InputError: the file cannot be read or is empty, a line has another form, or a pair comes twice.
    """
    found: dict[str, dict[str, int]] = {}
    for where, line in read_lines(path):
        fields = line.split()
        if len(fields) != 4:
            raise InputError(f"{where}: expected 'query 0 document relevance', got {len(fields)} fields")
        query, _, document, relevance = fields
        judged = found.setdefault(query, {})
        if document in judged:
            raise InputError(f"{where}: query {query!r} judges document {document!r} twice")
        judged[document] = whole(relevance, where)
    _check_some(found, path)
    return found


def read_run(path: StrPath) -> dict[str, dict[str, float]]:
    """Scores by query and document; the ranks are not read, as trec_eval does not read them.

    Raises:
        InputError: the file cannot be read or is empty, a line has another form, or a pair comes twice.
    """
    found: dict[str, dict[str, float]] = {}
    for where, line in read_lines(path):
        fields = line.split()
        if len(fields) != 6:
            raise InputError(
                f"{where}: expected 'query Q0 document rank score tag', got {len(fields)} fields"
            )
        query, _, document, _, score, _ = fields
        scores = found.setdefault(query, {})
        if document in scores:
            raise InputError(f"{where}: query {query!r} has document {document!r} twice")
        try:
            scores[document] = float(score)
        except ValueError:
            raise InputError(f"{where}: expected a score, got {score[:40]!r}") from None
        if math.isnan(scores[document]):
            raise InputError(f"{where}: expected a score, got NaN")
    _check_some(found, path)
    return found


def write_qrels(qrel: Qrel, path: StrPath) -> None:
    """Write judgements.

    Raises:
        InputError, InputTypeError: they are none, or an id has white space, which the form cannot hold.
    """
    check_qrel(qrel)
    _write(path, (f"{_id(q)} 0 {_id(d)} {rel}" for q, judged in qrel.items() for d, rel in judged.items()))


def write_run(run: Run, path: StrPath, *, tag: str = TAG) -> None:
    """Write a run, best first, all digits of the scores.

    Raises:
        InputError, InputTypeError: it is none, or an id or the tag has white space.
    """
    check_run(run)
    _write(
        path,
        (
            f"{_id(query)} Q0 {_id(document)} {rank} {float(scores[document])!r} {_id(tag)}"
            for query, scores in run.items()
            for rank, document in enumerate(ordered(scores), 1)
        ),
    )


def whole(text: str, where: str) -> int:
    """A relevance.

    Raises:
        InputError: it is no whole number of at most nine digits.
    """
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InputError(f"{where}: expected a relevance, a whole number, got {text[:40]!r}")
    return int(text)


def _check_some(found: Mapping[str, object], path: StrPath) -> None:
    if not found:
        raise InputError(f"path: {shown(path)} has no line")


def _id(text: str) -> str:
    if not text or text.split() != [text]:
        raise InputError(
            f"path: expected ids without white space, got {text!r}, which TREC's form cannot hold"
        )
    return text


def _write(path: StrPath, lines: Iterable[str]) -> None:
    target = as_path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        for line in lines:
            file.write(f"{line}\n".encode())
