"""A folder with the report on a grid: Markdown, and the picture that it shows."""

import os
from pathlib import Path

from pyfastlm._durable import replacing
from pyfastlm._markdown import plain, written
from pyfastlm.errors import InputError
from pyfastlm.together.report import pictures, tables
from pyfastlm.together.strategies.grid import Grid


def write_report(grid: Grid, folder: "str | os.PathLike[str]") -> Path:
    """Write ``report.md`` and ``accuracies.svg`` into ``folder``, which is made if it does not exist; files
    of these names are replaced. Returns the page.

    Raises:
        InputError: ``folder`` cannot be made.
        MissingExtra: matplotlib is not installed.
        OSError: it cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"folder: cannot make {os.fspath(folder)!r}: {error.strerror}") from error
    pictures.accuracies(grid, target / "accuracies.svg")
    train, validation, test = grid.sizes
    budget = grid.budget
    training = grid.settings.get("training") or "as the provider says"
    parts = [
        "# Prompts and weights, together",
        plain(
            f"{grid.provenance}; {train} rows to train, {validation} to validate, {test} to test, drawn anew "
            f"for each seed. P: {budget.candidates} candidates of up to {budget.demos} demonstrations, "
            f"beside none, {budget.labeled} gold rows in the prompt that bootstraps them. A training row is "
            f"run {budget.rounds} times at most. W: {training}. "
            f"LM: {grid.settings.get('lm', '')}."
        ),
        "![Test accuracy of every strategy](accuracies.svg)",
        written(tables.accuracies(grid)),
        written(tables.contrasts(grid)),
        written(tables.costs(grid)),
    ]
    if said := tables.doubts(grid):
        parts += ["## Doubts", "\n".join(f"- {plain(one)}" for one in said)]
    path = target / "report.md"
    with replacing(path, target / f".report.md.{os.getpid()}") as file:
        file.write(("\n\n".join(parts) + "\n").encode("utf-8", "replace"))
    return path
