"""``pyfastlm select report``: all that is said about a selection on one page."""

from pathlib import Path
from typing import Annotated, cast

import typer

from pyfastlm.cli.select_options import (
    Budget,
    Duplicates,
    Errors,
    Estimator,
    Group,
    Json,
    Keep,
    Matrix,
    Missing,
    Permutations,
    Projection,
    Repeats,
    Replicates,
    Seed,
    about,
    groups_of,
)  # fmt: skip


def command(
    matrix: Matrix,
    errors: Errors,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page to write: .html or .md.", show_default=False)
    ],
    keep: Keep = None,
    budget: Budget = None,
    estimator: Estimator = "spearmanr",
    projection: Projection = "linear",
    repeats: Repeats = 1.0,
    group: Group = None,
    missing: Missing = "raise",
    duplicates: Duplicates = "raise",
    replicates: Replicates = 200,
    permutations: Permutations = 1000,
    folds: Annotated[int, typer.Option(min=2, help="Of families, for the prediction.")] = 5,
    draws: Annotated[int, typer.Option(min=1, help="Of random selections.")] = 20,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Select, test, predict held-out families, compare; and draw it.

    The prediction stands beside the mean bits per byte on all domains, which needs no selection: better
    models need fewer bits everywhere.

    \b
    Example:
        pyfastlm select report bpb.parquet errors.csv --keep 0.1 -o report.html
    """
    from pyfastlm.cli import show
    from pyfastlm.selection.report.writing import check_path, write_report
    from pyfastlm.selection.study.analysis import analyse
    from pyfastlm.selection.study.options import Options
    from pyfastlm.selection.study.rules import DuplicateRule, MissingRule
    from pyfastlm.selection.study.scores import ProjectionName

    check_path(output)
    options = Options(
        estimator,
        cast(ProjectionName, projection),  # all are checked there
        keep,
        budget,
        repeats,
        cast(MissingRule, missing),
        duplicates=cast(DuplicateRule, duplicates),
    )
    found = analyse(
        matrix,
        errors,
        options,
        groups=groups_of(group),
        replicates=replicates,
        permutations=permutations,
        folds=folds,
        draws=draws,
        seed=seed,
        progress=True,
    )
    write_report(found, output)
    if json:
        show.as_json({"report": output, **found.as_dict()})
        return
    show.table("Held-out families", found.prediction.columns(), found.prediction.cells())
    basis = found.selections[0].basis
    print("\n".join(about(len(basis.models), len(set(basis.families)), basis.left_out)))
    print(f"report: {output}")
