"""``pyfastlm together report``: what a grid has found so far, as tables and as a page with a picture."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    grid: Annotated[Path, typer.Argument(help="Directory of together run.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Directory to write report.md into.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Test accuracy of every strategy with intervals, contrasts, costs, and doubts.

    \b
    Example:
        pyfastlm together report iris -o report
    """
    from pyfastlm.cli import show
    from pyfastlm.together.report import tables, write_report
    from pyfastlm.together.strategies import read_grid

    found = read_grid(grid)
    page = None if output is None else write_report(found, output)
    if json:
        show.as_json({"report": page} | tables.summary(found))
        return
    for table in (tables.accuracies(found), tables.contrasts(found), tables.costs(found)):
        show.table(table.title, table.columns, table.rows)
        print(table.note)
    for said in tables.doubts(found):
        print(said)
    if page is not None:
        print(f"report: {page}")
