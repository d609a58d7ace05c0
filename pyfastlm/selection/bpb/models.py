"""Which models a matrix is made of: a list in a file or in Python, checked before any of them is loaded."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.files.lines import json_object

if TYPE_CHECKING:
    from pyfastlm.lm.scores import TextScore

DTYPES = ("float32", "bfloat16", "float16", "float64")
MOST_BYTES = 16 << 20  # of a list of models
LINES = (".jsonl", ".ndjson")


class TextScorer(Protocol):
    """What gives texts their log-probabilities: a :class:`pyfastlm.lm.Scorer`, or a model of your own.

    ``rolling`` returns a :class:`pyfastlm.lm.TextScore` for each text, in order. ``fingerprint`` differs
    for models that score differently; it, ``max_length`` and ``tokens_per_batch`` decide whether saved work
    may be gone on with. Work is saved after about ``32 * tokens_per_batch`` bytes of text.
    """

    @property
    def fingerprint(self) -> str:
        """A name for exactly this model and its settings."""

    @property
    def max_length(self) -> int:
        """Tokens of a window."""

    @property
    def tokens_per_batch(self) -> int:
        """Tokens that go through the model at once."""

    def rolling(self, texts: Sequence[str]) -> "Sequence[TextScore]":
        """Scores of whole texts."""


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the matrix.

    Attributes:
        name: how it is called in the matrix and in tables of benchmarks.
        family: models of one family are not independent of each other; by default the name.
        scorer: the scorer itself, or a function without arguments that makes it when its turn comes; by
            default a :class:`pyfastlm.lm.Scorer` of ``path``.
        path: what :func:`pyfastlm.lm.load` takes; by default the name.
        revision: branch, tag or commit of a model on the hub.
        dtype: float32 (default), bfloat16, float16 or float64.

    Raises:
        InputError: an attribute is wrong.
    """

    name: str
    family: str = ""
    scorer: TextScorer | Callable[[], TextScorer] | None = field(default=None, repr=False)
    path: str | None = None
    revision: str | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        for what in ("name", "family", "path", "revision", "dtype"):
            value = getattr(self, what)
            if value is None and what not in ("name", "family"):
                continue
            if not isinstance(value, str):
                raise InputTypeError(f"models: expected a string as {what}, got {value!r}")
            if not value.isprintable() or (not value and what != "family"):
                raise InputError(f"models: expected a printable {what}, got {value!r}")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise InputError(f"models: expected a dtype among {', '.join(DTYPES)}, got {self.dtype!r}")
        if self.scorer is not None and (self.path or self.revision or self.dtype):
            raise InputError(f"models: {self.name!r} has a scorer; leave out path, revision and dtype")
        if not self.family:
            object.__setattr__(self, "family", self.name)

    @property
    def label(self) -> str:
        """Its name in the matrix: ``name``, or ``name_revision`` as in the tables of the reference."""
        return f"{self.name}_{self.revision}" if self.revision else self.name


def is_factory(scorer: Any) -> bool:
    """True for a function (or class) that makes the scorer, False for a scorer itself."""
    return isinstance(scorer, type) or (callable(scorer) and not hasattr(scorer, "rolling"))


def made(scorer: "TextScorer | Callable[[], TextScorer]") -> TextScorer:
    """The scorer itself."""
    return cast(TextScorer, cast("Callable[[], Any]", scorer)() if is_factory(scorer) else scorer)


Models: TypeAlias = StrPath | Sequence["str | Model"]


def resolve_models(models: Models) -> tuple[Model, ...]:
    """``models`` of a file or a sequence, each once.

    A file has a model a line: ``name`` or ``name family``, with ``#`` before a remark; or it ends in
    ``.jsonl`` (objects) or ``.csv`` (a head line) and has the fields name, family, path, revision and
    dtype, of which all but the name may be left out.

    Raises:
        InputError: the file cannot be read, a line is wrong (named), there is no model, or one twice.
    """
    if isinstance(models, str | os.PathLike):
        listed = tuple(_read(Path(models)))
    elif isinstance(models, Sequence):
        listed = tuple(model if isinstance(model, Model) else Model(model) for model in models)
    else:
        raise InputTypeError(f"models: expected a file or a sequence, got {type(models).__name__}")
    if not listed:
        raise InputError("models: expected at least one model, got none")
    seen: set[str] = set()
    for model in listed:
        if model.label in seen:
            raise InputError(f"models: expected each model once, got {model.label!r} twice")
        seen.add(model.label)
    return listed


def _read(path: Path) -> Iterator[Model]:
    shown = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"models: cannot read {shown!r}: {error.strerror}; give a file, or a list of names"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"models: {shown!r} is not UTF-8") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"models: {shown!r} has more than {MOST_BYTES >> 20} MiB")
    suffix = path.suffix.lower()
    parse = _objects if suffix in LINES else _table if suffix == ".csv" else _plain
    for number, entry in parse(shown, text):
        try:
            yield entry if isinstance(entry, Model) else Model(**_checked(entry))
        except InputError as error:
            raise InputError(f"{error} ({shown}, line {number})") from None


def _plain(shown: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) > 2:
            raise InputError(
                f"models: {shown}, line {number}: expected a name and a family, got {len(words)} words; "
                "write names with spaces in a .jsonl or .csv"
            )
        if words:
            yield number, dict(zip(("name", "family"), words, strict=False))


def _objects(shown: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield number, json_object(line.encode())
            except ValueError as error:
                raise InputError(f"models: {shown}, line {number}: {error}") from None


def _table(shown: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        for row in rows:
            if None in row or None in row.values():
                raise InputError(f"models: {shown}, line {rows.line_num}: another number of cells than heads")
            yield rows.line_num, dict(row)
    except csv.Error as error:
        raise InputError(f"models: {shown}, line {rows.line_num}: {error}") from None


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    known = [f.name for f in fields(Model) if f.name != "scorer"]
    if unknown := [name for name in entry if name not in known]:
        raise InputError(f"models: unknown field {unknown[0]!r}; there are {', '.join(known)}")
    if "name" not in entry:
        raise InputError("models: expected a name")
    # An empty cell, or null, is a field left out.
    return {"name": entry["name"]} | {k: v for k, v in entry.items() if k != "name" and v not in ("", None)}
