"""``pyfastlm icl report``: all that laws say about curves, in one folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pyfastlm.cli.icl_options import Json, Seed, Threads

if TYPE_CHECKING:
    from pyfastlm.icl.laws import LawName
    from pyfastlm.icl.problem import Loss

SHOWN = ("law", "parameters", "NRMSE", "in nats", "AIC", "agree", "doubts")  # of the table of a set


def command(
    curves: Annotated[
        str,
        typer.Argument(help="CSV file of curves, as icl fit reads it.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory to write report.md into.", show_default=False),
    ],
    law: Annotated[
        list[str] | None, typer.Option(help="One of the laws; may be repeated.", show_default="all six")
    ] = None,
    starts: Annotated[int, typer.Option(min=1, help="Places that each fit begins at.")] = 8,
    loss: Annotated[str, typer.Option(help="mse_prob, mse, mse_log, huber, huber_log.")] = "mse_prob",
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Fit laws, let them go on from the first 5, 10, 20 and 50 % of the shots, compare them; and draw it.

    With several amounts of fine-tuning (sft_amount), the priors and efficiencies are drawn against these.

    \b
    Example:
        pyfastlm icl report curves.csv -o report
    """
    from pyfastlm.cli import show
    from pyfastlm.icl.files.curve_tables import read_curves
    from pyfastlm.icl.laws import LAW_NAMES
    from pyfastlm.icl.report import tables
    from pyfastlm.icl.report.writing import write_report

    given = read_curves(curves)
    found = write_report(
        given,
        output,
        laws=cast("list[LawName]", law) or LAW_NAMES,  # names are checked there
        starts=starts,
        loss=cast("Loss", loss),
        seed=seed,
        threads=threads,
    )
    if json:
        show.as_json(
            {
                "report": found.path,
                "fractions": found.fractions,
                "means": [mean._asdict() for mean in found.comparison.means()],
                "doubts": tables.doubts(found.comparison, given),
            }
        )
        return
    for table in tables.fits(found.comparison, given):
        shown = [table.columns.index(name) for name in SHOWN]
        show.table(table.title, SHOWN, [[row[at] for at in shown] for row in table.rows])
    print(f"report: {found.path}")
