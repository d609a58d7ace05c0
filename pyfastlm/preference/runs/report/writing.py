"""A folder with the report on runs: Markdown, and the picture that it shows."""

import os
from collections.abc import Mapping
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._markdown import plain, written
from pyfastlm.errors import InputError
from pyfastlm.preference.runs.report import pictures, tables
from pyfastlm.preference.runs.result import RunResult


def write_report(runs: Mapping[str, RunResult], folder: "str | os.PathLike[str]") -> Path:
    """Write ``report.md`` and ``changes.svg`` into ``folder``, which is made if it does not exist; files of
    these names are replaced. Returns the page.

    Args:
        runs: results by the names they get there.
        folder: where to.

    Raises:
        InputError: there is no run, or ``folder`` cannot be made.
        MissingExtra: matplotlib is not installed.
        OSError: it cannot be written.
    """
    target = Path(folder)
    if not runs:
        raise InputError("runs: expected at least one, got none")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder: cannot make {os.fspath(folder)!r}: {error.strerror}") from error
    pictures.changes(runs, target / "changes.svg")
    parts = [
        "# Trained on preferences",
        "![Changes of chosen and rejected answers](changes.svg)",
        written(tables.held_out(runs)),
        written(tables.learnt(runs)),
        written(tables.settings(runs)),
    ]
    if said := tables.doubts(runs):
        parts += ["## Doubts", "\n".join(f"- {plain(one)}" for one in said)]
    path = target / "report.md"
    with replacing(path, target / f".report.md.{os.getpid()}") as file:
        file.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))
    return path
