"""What is found in a cell, and the files that hold it: one JSON object a line."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.onion.descent import Point
from pyfastlm.onion.evaluation import Report
from pyfastlm.onion.grid.plan import Cell
from pyfastlm.onion.interventions.corruption import Edits, Lengths
from pyfastlm.onion.scoring import Share
from pyfastlm.onion.training import Logged


@dataclass(frozen=True, slots=True)
class Row:
    """An intervention, scored under one condition on validation sequences.

    Attributes:
        lengths, edits: the condition.
        exact: sequences said rightly throughout from the repaired state,
        identity: and from the corrupted state, unrepaired.
        tokens: right tokens from the repaired state.
        by_edit: ``exact`` by the edited place, from place 0 on.
    """

    lengths: Lengths
    edits: Edits
    exact: Share
    identity: Share
    tokens: Share
    by_edit: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class FitResult:
    """An intervention that was learned under one condition.

    Attributes:
        kind: a key of :data:`pyfastlm.onion.grid.plan.KINDS`.
        own: the condition is that of the paper's code.
        lengths, edits: the condition.
        curve, fall, converged: of the fit; see :class:`pyfastlm.onion.interventions.fitting.Fitted`.
        orthogonality: largest entry of |Q Q^T - 1|; 0 without a rotation.
        channels: how many channels each variable has, "none" last; empty without a mask.
        rows: one for each condition that it was scored under.
        seconds: wall time of the fit's steps.
    """

    kind: str
    own: bool
    lengths: Lengths
    edits: Edits
    curve: tuple[Point, ...]
    fall: float
    converged: bool
    orthogonality: float
    channels: tuple[int, ...]
    rows: tuple[Row, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelResult:
    """A model that was trained.

    Attributes:
        log: of its training.
        seconds: of its training steps.
        exact: validation sequences said rightly throughout, the decoder reading the true tokens;
        free: and its own.
        longest: ``exact`` of the longest ones.
        longer: the same of sequences that are 1 and 2 tokens longer than any of training.
        gates: [2 len][N], for the longest ones; see :class:`pyfastlm.onion.gates.Gates`.
    """

    log: tuple[Logged, ...]
    seconds: float
    exact: Share
    free: Share
    longest: Share
    longer: tuple[Share, ...]
    gates: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class CellResult:
    """A cell: its model, and what is done to it so far."""

    cell: Cell
    settings: dict[str, Any]
    model: ModelResult
    fits: tuple[FitResult, ...]


def row(report: Report) -> Row:
    """What a grid keeps of a report on an intervention."""
    assert report.identity is not None
    assert report.edits != "none"
    scores = report.scores
    return Row(
        report.lengths, report.edits, scores.taught, report.identity.taught, scores.tokens, scores.by_edit
    )


def write(path: Path, found: "ModelResult | FitResult") -> None:
    """Put it into a file, which appears whole or not at all."""
    write_json(path, asdict(found))


def write_json(path: Path, found: dict[str, Any]) -> None:
    """One line of JSON, whole or not at all."""
    with replacing(path, path.with_name(f".{path.name}.tmp")) as file:
        file.write(json.dumps(found, separators=(",", ":")).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """An object.

    Raises:
        InputError: there is something else in the file, or no file.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"path: cannot read {str(path)!r}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"path: {str(path)!r} is not JSON") from error
    if not isinstance(found, dict):
        raise InputError(f"path: {str(path)!r} holds no object")
    return found


def read_fit(path: Path) -> FitResult:
    """What :func:`write` wrote.

    Raises:
        InputError: there is something else in the file.
    """
    found = read_json(path)
    try:
        lists = {
            "curve": tuple(Point(**point) for point in found["curve"]),
            "channels": tuple(found["channels"]),
            "rows": tuple(map(_row, found["rows"])),
        }
        return FitResult(**(found | lists))
    except (LookupError, TypeError) as error:
        raise InputError(f"path: {str(path)!r} is not the result of a fit") from error


def read_model(path: Path) -> ModelResult:
    """What :func:`write` wrote.

    Raises:
        InputError: there is something else in the file.
    """
    found = read_json(path)
    try:
        shares = {name: Share(**found[name]) for name in ("exact", "free", "longest")}
        lists = {
            "log": tuple(Logged(**entry) for entry in found["log"]),
            "longer": tuple(Share(**each) for each in found["longer"]),
            "gates": tuple(tuple(map(float, step)) for step in found["gates"]),
        }
        return ModelResult(**(found | shares | lists))
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"path: {str(path)!r} is not the result of a training") from error


def _row(found: dict[str, Any]) -> Row:
    shares = {name: Share(**found[name]) for name in ("exact", "identity", "tokens")}
    return Row(**(found | shares | {"by_edit": tuple(Share(**each) for each in found["by_edit"])}))
