"""The report beside an output, by which a finished job is known again."""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyfastlm._durable import replacing
from pyfastlm.errors import InputError
from pyfastlm.lm.files.inputs import Source
from pyfastlm.selection.filtering.applied_report import AppliedReport

FORMAT = "pyfastlm.taken"
MAX_BYTES = 1 << 30


def report_path(output: Path) -> Path:
    """``out.jsonl.zst`` has its report in ``out.jsonl.zst.report.json``."""
    return output.with_name(output.name + ".report.json")


def refuse_inputs(output: Path, sources: tuple[Source, ...]) -> None:
    """Refuse to write the report over an input.

    Raises:
        InputError: an input has its name.
    """
    written = os.path.realpath(report_path(output))
    for source in sources:
        if os.path.realpath(source.path) == written:
            raise InputError(
                f"output: the report of {str(output)!r} would overwrite the input {source.name!r}"
            )


def write(
    output: Path, temporary: Path, description: dict[str, Any], digest: str, report: AppliedReport
) -> None:
    """Write the report of ``output`` and what the job was."""
    values = asdict(report)
    values["lowest"] = None if math.isnan(report.lowest) else report.lowest
    values["output"] = report.output.name
    values["rejects"] = None if report.rejects is None else report.rejects.name
    noted = {"format": FORMAT, "description": description, "digest": digest, "report": values}
    with replacing(report_path(output), temporary) as file:
        file.write(json.dumps(noted, indent=1).encode() + b"\n")


def read(output: Path) -> dict[str, Any] | None:
    """What :func:`write` noted; None where there is no output. An empty output counts as absent.

    Raises:
        InputError: output or report is something else.
    """
    path = report_path(output)
    absent = not output.exists() or output.stat().st_size == 0
    if absent and not path.exists():
        return None
    try:
        if os.path.getsize(path) < MAX_BYTES:
            noted = json.loads(path.read_bytes())
            if (
                isinstance(noted, dict)
                and noted.get("format") == FORMAT
                and isinstance(noted.get("description"), dict)
                and isinstance(noted.get("report"), dict)
            ):
                return None if absent else noted
    except (OSError, ValueError, RecursionError):
        pass
    raise InputError(
        f"output: {os.fspath(path if absent else output)!r} exists and is of no such job; remove or rename it"
    )
