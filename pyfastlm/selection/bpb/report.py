"""What a matrix job has to say, and the file that lists the scores it did not get."""

import contextlib
import json
import math
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pyfastlm._durable import fsync_directory, replacing

if TYPE_CHECKING:
    from pyfastlm.selection.matrix import BpbMatrix

MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class MissingScore:
    """A document without a score: of ``model``, or of all models where that is None, and why."""

    source: str
    row: int
    domain: str | None
    model: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What became of one model.

    Attributes:
        name, family: as in the matrix; duplicates may have been put into one family.
        kept: whether it is in the matrix; else ``reason`` says why not.
        fingerprint: of its weights and settings; None if it could not be loaded.
        duplicate_of: an earlier model with the same fingerprint or the same numbers.
        missing: documents that it has no score for, of those that have a text and a domain.
        tokens: of the documents in the matrix, by its own tokenizer; 0 if it is not kept.
        bits_per_byte: all bits over all bytes of these documents; NaN if it is not kept.
        seconds: wall time of scoring in the run that finished it; 0 if a duplicate's scores were taken.
        tokens_per_second: speed of that run.
        resumed_documents: scored before that run.
    """

    name: str
    family: str
    kept: bool
    reason: str
    fingerprint: str | None
    duplicate_of: str | None
    missing: int
    tokens: int
    bits_per_byte: float
    seconds: float
    tokens_per_second: float
    resumed_documents: int


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """What became of all of it.

    Attributes:
        output: the matrix.
        report: this report as JSON, ``<output stem>.report.json``.
        missing_scores: ``<output stem>.missing.jsonl``, every :class:`MissingScore`; None if there is none.
        models: of the list, in its order.
        domains, documents, tokens, bytes: what is in the matrix; ``tokens`` of its first model.
        rows: of the inputs; each is a document of the matrix, useless or dropped.
        useless: rows without a text or a domain, which no model can be asked about.
        dropped: documents with a text and a domain that the rule has left out, for all models.
        dropped_domains: domains of the inputs that have no document in the matrix.
        shrunk_domains: how many domains of the matrix have lost some of their documents to the rule.
        examples: the first of ``missing_scores``.
        missing, duplicates: the rules that were asked for.
        seconds: wall time of this call.
    """

    output: Path
    report: Path
    missing_scores: Path | None
    models: tuple[ModelReport, ...]
    domains: int
    documents: int
    tokens: int
    bytes: int
    rows: int
    useless: int
    dropped: int
    dropped_domains: tuple[str, ...]
    shrunk_domains: int
    examples: tuple[MissingScore, ...]
    missing: str
    duplicates: str
    seconds: float

    @property
    def kept(self) -> tuple[ModelReport, ...]:
        """The models of the matrix, in its order."""
        return tuple(model for model in self.models if model.kept)

    def open(self) -> "BpbMatrix":
        """The matrix."""
        from pyfastlm.selection.matrix import BpbMatrix

        return BpbMatrix.open(self.output)

    def save(self) -> None:
        """Write ``report``; numbers that are none become null."""
        with replacing(self.report, self.report.with_name(f".{self.report.name}.{os.getpid()}")) as file:
            file.write(json.dumps(_plain(asdict(self)), indent=1, allow_nan=False).encode() + b"\n")


class MissingScores:
    """Collects them in a file beside ``path``; :meth:`keep` gives it its name."""

    def __init__(self, path: Path, file: BinaryIO, temporary: Path) -> None:
        self.path, self._file, self._temporary = path, file, temporary
        self.count = 0
        self.examples: list[MissingScore] = []

    def add(self, score: MissingScore) -> None:
        """Note one more."""
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(score)
        self._file.write(json.dumps(asdict(score)).encode() + b"\n")

    def keep(self) -> Path | None:
        """Put the file in its place, or remove an old one where there is nothing to say."""
        if not self.count:
            self.path.unlink(missing_ok=True)
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._temporary, self.path)
        fsync_directory(self.path.parent)
        return self.path


@contextlib.contextmanager
def missing_scores(path: Path) -> Iterator[MissingScores]:
    """Open a collection for ``path``; what is not kept is removed."""
    # Several processes, maybe of several machines, collect at the same time.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "wb") as file:
            yield MissingScores(path, file, temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return os.fspath(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
