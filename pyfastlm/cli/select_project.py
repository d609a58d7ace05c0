"""``pyfastlm select project``: domains within a budget of tokens."""

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
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Selection to write, .parquet; of several NAME.parquet.",
            show_default=False,
        ),
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
    top: Annotated[int, typer.Option(min=1, help="Domains to show.")] = 20,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Select domains: a weight and whole tokens for each, with a sum of the budget.

    Frequency is the share of draws of families in which a domain is selected.

    \b
    Examples:
        pyfastlm select project bpb.parquet errors.csv --keep 0.1 -o s.parquet
        pyfastlm select project bpb.parquet errors.csv --budget 1000000 \\
            --group reading=lambada,squad --group facts=sciq -o s.parquet
    """
    from pyfastlm.cli import show
    from pyfastlm.selection.study.options import Options
    from pyfastlm.selection.study.rules import DuplicateRule, MissingRule
    from pyfastlm.selection.study.scores import ProjectionName
    from pyfastlm.selection.study.selecting import selections

    options = Options(
        estimator,
        cast(ProjectionName, projection),  # all are checked there
        keep,
        budget,
        repeats,
        cast(MissingRule, missing),
        duplicates=cast(DuplicateRule, duplicates),
    )
    groups = groups_of(group)
    found = selections(
        matrix, errors, options, groups or "all", replicates=replicates, seed=seed, progress=True
    )
    for one in found:
        one.save(output if groups is None else output.with_name(f"{output.stem}.{one.name}{output.suffix}"))
    if json:
        show.as_json({"selections": [one.as_dict() for one in found]})
        return
    for one in found:
        show.table(one.title(), one.columns(), one.cells(top))
        print("\n".join(about(len(one.basis.models), len(set(one.basis.families)), one.basis.left_out)))
        if one.basis.replicates:
            print(
                f"in common with a draw's selection: {one.basis.stability:.0%} of the budget; "
                f"between two draws: {one.basis.agreement:.0%}; between random ones: {one.chance():.0%}"
            )
