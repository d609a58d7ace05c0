"""``pyfastlm select correlate``: what each domain says about each benchmark."""

from pathlib import Path
from typing import Annotated, cast

import typer

from pyfastlm.cli.select_options import (
    Duplicates,
    Errors,
    Estimator,
    Json,
    Matrix,
    Missing,
    Permutations,
    Replicates,
    Seed,
    about,
)  # fmt: skip


def command(
    matrix: Matrix,
    errors: Errors,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="All numbers, as .parquet.", show_default=False),
    ] = None,
    estimator: Estimator = "spearmanr",
    missing: Missing = "raise",
    duplicates: Duplicates = "raise",
    replicates: Replicates = 1000,
    permutations: Permutations = 1000,
    top: Annotated[int, typer.Option(min=1, help="Domains to show of each benchmark.")] = 20,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Correlate bits per byte with errors, for each domain and benchmark.

    Intervals come from families drawn anew, p from errors permuted over families: one-sided; family-wise by
    the largest of all domains; q by Benjamini and Hochberg. partial is the rank correlation given each
    model's mean bits per byte.

    \b
    Example:
        pyfastlm select correlate bpb.parquet errors.csv -o correlations.parquet
    """
    from pyfastlm.cli import show
    from pyfastlm.selection.study.correlating import correlate, save_correlations
    from pyfastlm.selection.study.options import Options
    from pyfastlm.selection.study.rules import DuplicateRule, MissingRule

    options = Options(
        estimator,
        missing=cast(MissingRule, missing),  # both are checked there
        duplicates=cast(DuplicateRule, duplicates),
    )
    found = correlate(
        matrix,
        errors,
        options,
        replicates=replicates,
        permutations=permutations,
        seed=seed,
        progress=True,
    )
    if output is not None:
        save_correlations(found, output)
    if json:
        show.as_json({"estimator": estimator, "seed": seed, "benchmarks": [one.as_dict() for one in found]})
        return
    for one in found:
        show.table(one.title(estimator), one.columns(), one.cells(top))
        print("\n".join([*about(len(one.models), len(set(one.families)), one.left_out), one.remark]).strip())
