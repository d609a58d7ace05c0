"""Curves in CSV files, with the columns of the publication's code (``aryamanarora/bayesian-laws-icl``)."""

import csv
import io
import math
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.icl.laws import Doubles

TASK, SHOTS = "hmm", "shots"
AMOUNTS = ("sft_amount", "dpo_amount")
APART = ("k", "layers", "sft", "model")  # what makes sets of curves that are fitted apart
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, eq=False)
class CurveSet:
    """Curves that belong together.

    Attributes:
        name: what sets it apart, e.g. ``k=3, layers=8``.
        tasks: [C] their names.
        groups: [G] amounts of fine-tuning, if there are several.
        shots: [S], from 1.
        nll: [C, S] in nats, or [G, C, S] of several groups; NaN where the file has no number.
    """

    name: str
    tasks: tuple[str, ...]
    groups: tuple[str, ...]
    shots: Doubles
    nll: Doubles


def read_curves(path: "str | os.PathLike[str]") -> list[CurveSet]:
    """Read a CSV file of curves.

    Its columns: ``shots``, counted from 0 as in the publication (examples before the one that is predicted);
    ``prob``, else ``nll`` in nats; maybe ``hmm``, the task; ``sft_amount`` or ``dpo_amount``, of groups that
    share likelihoods; ``k``, ``layers``, ``sft``, ``model``, of sets that are apart. Rows that agree in all
    of these are prompts: their probabilities are averaged, and the loss is -log of that.

    Raises:
        InputError: a column is missing or a number is none; names the line.
    """
    shown = os.fspath(path)
    file = Path(path)
    if file.stat().st_size > MOST_BYTES:
        raise InputError(f"path: {shown!r} is larger than {MOST_BYTES >> 20} MiB")
    try:
        rows = csv.DictReader(io.StringIO(file.read_text("utf-8")), strict=True)
        heads = rows.fieldnames or []
        value = next((name for name in ("prob", "nll") if name in heads), None)
        if SHOTS not in heads or value is None:
            raise InputError(
                f"path: {shown!r} needs the columns 'shots' and 'prob' or 'nll', has {', '.join(heads[:20])}"
            )
        amount = next((name for name in AMOUNTS if name in heads), None)
        found: dict[tuple[str, ...], dict[tuple[str, str, float], list[float]]] = {}
        apart = [name for name in APART if name in heads]
        for row in rows:
            where = f"{shown}:{rows.line_num}"
            shot = _number(row, SHOTS, where)
            p = _number(row, value, where)
            if shot < 0 or not shot.is_integer():
                raise InputError(f"{where}: shots: expected a whole number from 0, got {shot:g}")
            if value == "nll":
                p = math.exp(-p)
            if not 0 <= p <= 1:
                raise InputError(f"{where}: {value}: expected a probability, got {row[value]!r}")
            key = tuple(f"{name}={row[name]}" for name in apart)
            point = (row[amount] if amount else "", row.get(TASK) or "0", shot + 1)
            found.setdefault(key, defaultdict(list))[point].append(p)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"path: {shown!r} is no CSV file ({error})") from None
    if not found:
        raise InputError(f"path: expected rows in {shown!r}, got none")
    return [_curves(", ".join(key) or file.stem, points) for key, points in found.items()]


def write_curves(rows: Iterable[tuple[str, int, float]], path: "str | os.PathLike[str]") -> None:
    """Write ``(task, shots from 1, probability)`` of each prompt, in the form that is read above.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([TASK, SHOTS, "prob", "nll"])
    for task, shots, p in rows:
        table.writerow([task, shots - 1, repr(p), repr(-math.log(p)) if p > 0 else "inf"])
    target = Path(path)
    with replacing(target, target.with_name(f".{target.name}.{os.getpid()}")) as file:
        file.write(text.getvalue().encode())


def _number(row: dict[str, str], name: str, where: str) -> float:
    try:
        number = float(row[name])
    except (TypeError, ValueError):
        raise InputError(f"{where}: {name}: expected a number, got {row[name]!r}") from None
    if math.isnan(number):
        raise InputError(f"{where}: {name}: expected a number, got {row[name]!r}")
    return number


def _curves(name: str, points: dict[tuple[str, str, float], list[float]]) -> CurveSet:
    groups, tasks, shots = (sorted({point[place] for point in points}, key=_order) for place in range(3))
    p = np.full((len(groups), len(tasks), len(shots)), np.nan)
    for (group, task, shot), values in points.items():
        p[groups.index(group), tasks.index(task), shots.index(shot)] = np.mean(values)
    with np.errstate(divide="ignore"):
        nll = -np.log(p)
    alone = len(groups) == 1
    return CurveSet(
        name,
        tuple(map(str, tasks)),
        () if alone else tuple(map(str, groups)),
        np.array(shots),
        nll[0] if alone else nll,
    )


def _order(value: object) -> tuple[float, str]:
    """Numbers by size, then other names."""
    try:
        return float(str(value)), ""
    except ValueError:
        return math.inf, str(value)
