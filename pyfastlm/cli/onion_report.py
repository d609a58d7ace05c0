"""``pyfastlm onion report``: what a grid has found so far, as a page with pictures."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli.onion_options import Json


def command(
    runs: Annotated[Path, typer.Argument(help="Directory of onion grid.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory to write report.md into.", show_default=False),
    ],
    json: Json = False,
) -> None:
    """Size against success for every intervention, the same conditions for all, curves, gates over time.

    \b
    Example:
        pyfastlm onion report runs -o report
    """
    from dataclasses import asdict

    from pyfastlm.cli import show
    from pyfastlm.onion.grid import read_grid
    from pyfastlm.onion.report import tables
    from pyfastlm.onion.report.writing import write_report

    found = read_grid(runs)
    path = write_report(found, output)
    if json:
        show.as_json({"report": path, "cells": [asdict(each) for each in found]})
        return
    for table in (tables.models(found), tables.own(found), tables.convergence(found)):
        show.table(table.title, table.columns, table.rows)
    for said in tables.verdicts(found):
        print(said)
    print(f"report: {path}")
