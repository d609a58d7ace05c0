"""``pyfastlm ir report``: what a study has found, as tables and as a page with a picture."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli import ir_options as given


def command(
    study: Annotated[
        Path, typer.Argument(help="Directory of ir study, or its study.json.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Directory to write report.md into.", show_default=False),
    ] = None,
    json: given.Json = False,
) -> None:
    """Prompts and controls on gold and test, their correlation, the rungs of the search, and the time.

    \b
    Example:
        pyfastlm ir report wordnet -o report
    """
    from pyfastlm.cli import show
    from pyfastlm.cli.ir_study import told
    from pyfastlm.ir.report import tables, write_report
    from pyfastlm.ir.study import read_study

    found = read_study(study)
    page = None if output is None else write_report(found, output)
    if json:
        show.as_json({"report": page} | tables.summary(found))
    else:
        told(found, page)
