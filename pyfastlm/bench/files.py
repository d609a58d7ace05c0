"""A report as JSON, and back."""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

from pyfastlm.bench.results import Group, Limits, Report, Suite, Timing
from pyfastlm.errors import InputError

FORMAT = "pyfastlm bench 1"


def as_dict(report: Report) -> dict[str, Any]:
    """What the file holds."""
    return {"format": FORMAT, **dataclasses.asdict(report)}


def as_json(report: Report) -> str:
    """The text of the file."""
    return json.dumps(as_dict(report), indent=1, allow_nan=False) + "\n"


def read(path: "str | os.PathLike[str]") -> Report:
    """The report in the JSON file ``path``.

    Raises:
        InputError: it cannot be read, is no such file, or is damaged.
    """
    said = f"against: {os.fspath(path)!r}"
    try:
        data = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{said} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{said} is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{said} is no report; expected bench.json as pyfastlm bench writes it")
    try:
        return _report(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{said} is damaged: {type(error).__name__}: {error}") from error


def _report(data: dict[str, Any]) -> Report:
    first, last = (Limits(**one) for one in data.pop("limits"))
    suites = tuple(_suite(one) for one in data.pop("suites"))
    del data["format"]
    return Report(**data, limits=(first, last), suites=suites)


def _suite(data: dict[str, Any]) -> Suite:
    groups = tuple(Group(one["name"], tuple(map(_timing, one["timings"]))) for one in data.pop("groups"))
    failed, skipped = tuple(data.pop("failed")), tuple(data.pop("skipped"))
    return Suite(**data, failed=failed, skipped=skipped, groups=groups)


def _timing(data: dict[str, Any]) -> Timing:
    timing = Timing(**data)
    for name in ("best", "median"):
        value = getattr(timing, name)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected seconds > 0, got {value!r}")
    return timing
