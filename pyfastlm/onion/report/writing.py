"""A folder with the report on a grid: Markdown, and the pictures that it shows."""

import os
from collections.abc import Sequence
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._markdown import plain, written
from pyfastlm.errors import InputError
from pyfastlm.onion.grid.plan import COMMON
from pyfastlm.onion.grid.rows import CellResult
from pyfastlm.onion.report import pictures, tables


def write_report(found: Sequence[CellResult], folder: "str | os.PathLike[str]") -> Path:
    """Write ``report.md`` with its pictures (SVG) into ``folder``, which is made if it does not exist; files
    of these names are replaced. Returns the page.

    Raises:
        InputError: there is no cell, or ``folder`` is a file.
        MissingExtra: matplotlib is not installed.
        OSError: it cannot be written.
    """
    target = Path(folder)
    if target.exists() and not target.is_dir():
        raise InputError(f"folder: {os.fspath(folder)!r} is no directory")
    if not found:
        raise InputError("found: expected at least one cell, got none")
    target.mkdir(parents=True, exist_ok=True)
    pictures.sizes(found, target / "sizes.svg")
    pictures.curves(found, target / "curves.svg")
    pictures.gates(found, target / "gates.svg")
    parts = [
        "# How copiers store a sequence",
        "\n".join(f"- {plain(one)}" for one in tables.verdicts(found)),
        "![Success by the size of the state](sizes.svg)",
        written(tables.models(found)),
        written(tables.own(found)),
        *(written(tables.common(found, condition)) for condition in COMMON),
        written(tables.places(found)),
        written(tables.convergence(found)),
        "![Loss and success of each fit by step](curves.svg)",
        "![Update gates while reading and saying](gates.svg)",
    ]
    path = target / "report.md"
    with replacing(path, target / f".report.md.{os.getpid()}") as file:
        file.write(("\n\n".join(parts) + "\n").encode())
    return path
