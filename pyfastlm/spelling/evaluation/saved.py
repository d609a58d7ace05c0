"""Reports as files of JSON, with the outcome of every query: whatever is read back can be compared."""

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.spelling.evaluation.outcomes import Outcomes, Unneeded
from pyfastlm.spelling.evaluation.report import Report
from pyfastlm.spelling.evaluation.summary import report_of
from pyfastlm.spelling.evaluation.timing import Latency
from pyfastlm.spelling.json_files import read_json, write_json

FORMAT = "pyfastlm spelling report 1"
INFINITE = {"inf": math.inf, "-inf": -math.inf}


def write_report(report: Report, path: StrPath) -> None:
    """Write a report with its outcomes; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    outcomes = report.outcomes
    value = {
        "report": report.as_dict(),
        "outcomes": {
            "kinds": outcomes.kinds,
            "meant": outcomes.meant.tolist(),
            "changed": outcomes.changed.astype(int).tolist(),
            "right": outcomes.right.astype(int).tolist(),
            "best_right": outcomes.best_right.astype(int).tolist(),
            "margin": _margins(outcomes.margin),
            "rank": outcomes.rank.tolist(),
            "k": outcomes.k,
            "clean": _unneeded(outcomes.clean),
            "novel": _unneeded(outcomes.novel),
            "digest": outcomes.digest,
        },
    }
    write_json(path, FORMAT, value)


def read_report(path: StrPath) -> Report:
    """What :func:`write_report` wrote. All shares are computed anew from the outcomes.

    Raises:
        InputError: it is no such file, or damaged.
    """
    name = os.fspath(path)
    value = read_json(path, FORMAT, "is no report that write_report wrote")
    try:
        found, report = _outcomes(value["outcomes"]), value["report"]
        timed, *times = (report["latency"][name] for name in Latency._fields)
        latency = Latency(_whole(timed), *map(_number, times))
        return report_of(found, latency, _whole(report["seed"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"path: {name!r} is a damaged report: {error!r}") from None


def _outcomes(value: dict[str, Any]) -> Outcomes:
    kinds = tuple(value["kinds"])
    n, k = len(kinds), _whole(value["k"])
    if not n or not all(isinstance(kind, str) for kind in kinds) or not isinstance(value["digest"], str):
        raise ValueError("kinds or digest")
    rank = np.array([_whole(place) for place in value["rank"]], np.int32)
    meant = np.array([_whole(number) for number in value["meant"]], np.int32)
    if len(rank) != n or not k or rank.max() > k or len(meant) != n or meant.max() >= n:
        raise ValueError("rank, meant or k")
    return Outcomes(
        kinds=kinds,
        meant=meant,
        changed=_flags(value["changed"], n),
        right=_flags(value["right"], n),
        best_right=_flags(value["best_right"], n),
        margin=_floats(value["margin"], n),
        rank=rank,
        k=k,
        clean=_of_unneeded(value["clean"]),
        novel=_of_unneeded(value["novel"]),
        digest=value["digest"],
    )


def _unneeded(part: Unneeded) -> dict[str, Any]:
    return {"changed": part.changed.astype(int).tolist(), "margin": _margins(part.margin)}


def _of_unneeded(value: dict[str, Any]) -> Unneeded:
    n = len(value["changed"])
    return Unneeded(_flags(value["changed"], n), _floats(value["margin"], n))


def _margins(values: NDArray[np.float64]) -> list[float | str]:
    return [value if math.isfinite(value) else str(value) for value in values.tolist()]


def _floats(values: list[Any], n: int) -> NDArray[np.float64]:
    found = np.array([INFINITE[value] if isinstance(value, str) else _number(value) for value in values])
    if len(found) != n or np.isnan(found).any():
        raise ValueError("margin")
    return found.astype(float)


def _flags(values: list[Any], n: int) -> NDArray[np.bool_]:
    if len(values) != n or any(value not in (0, 1) for value in values):
        raise ValueError("a flag is neither 0 nor 1")
    return np.array(values, bool)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"no number: {value!r}")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"no whole number: {value!r}")
    return value
