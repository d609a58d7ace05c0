"""Arguments that several commands of ``pyfastlm icl`` share."""

from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(min=0, help="Of draws.")]
Threads = Annotated[int | None, typer.Option(min=1, help="By default all.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
CurvesOut = Annotated[
    Path, typer.Option("--output", "-o", help="Curves, a CSV file for icl fit.", show_default=False)
]
