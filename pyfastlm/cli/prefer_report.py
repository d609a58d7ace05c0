"""``pyfastlm prefer report``: several runs side by side, in one folder."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Directories of prefer train.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory to write report.md into.", show_default=False),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Compare what runs did to chosen and rejected answers, with a picture.

    \b
    Example:
        pyfastlm prefer report zero down dpo -o report
    """
    from dataclasses import asdict

    from pyfastlm.cli import show
    from pyfastlm.preference.runs import read_result, write_report
    from pyfastlm.preference.runs.report import tables

    if len({*runs}) < len(runs):
        raise typer.BadParameter("expected each directory once", param_hint="RUNS")
    found = {str(directory): read_result(directory) for directory in runs}
    page = write_report(found, output)
    if json:
        results = {name: asdict(result) for name, result in found.items()}
        show.as_json({"report": page, "runs": results, "doubts": tables.doubts(found)})
        return
    for table in (tables.held_out(found), tables.learnt(found)):
        show.table(table.title, table.columns, table.rows)
    for said in tables.doubts(found):
        print(said)
    print(f"report: {page}")
