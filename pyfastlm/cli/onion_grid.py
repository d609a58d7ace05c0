"""``pyfastlm onion grid``: sizes, seeds and variants, and every intervention on each."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli.onion_options import Held, Json, Longest, Sequences, Shortest, Symbols


def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of all runs.", show_default=False)
    ],
    size: Annotated[
        list[int] | None, typer.Option(min=1, help="N; may be repeated.", show_default="48, 64, 256")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="May be repeated.", show_default="0, 1, 2")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="autoregressive or no-input; may be repeated.", show_default="autoregressive"),
    ] = None,
    matched: Annotated[
        bool, typer.Option("--matched", help="Learn every intervention under all four conditions, too.")
    ] = False,
    symbols: Symbols = 30,
    min_len: Shortest = 2,
    max_len: Longest = 9,
    n_train: Sequences = 1_000_000,
    n_valid: Held = 5000,
    steps: Annotated[int, typer.Option(min=1, help="Of training models below 128 units.")] = 20_000,
    fit_steps: Annotated[int, typer.Option(min=1, help="Of each intervention.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread each.", show_default="cores")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how long it would take.")] = False,
    json: Json = False,
) -> None:
    """Train models of several sizes and seeds and learn all interventions on them. Stopped, it goes on.

    \b
    Example:
        pyfastlm onion grid -o runs --size 48 --size 256 --seed 0
        pyfastlm onion report runs -o report
    """
    from pyfastlm._threads import num_threads
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.onion import TrainingOptions
    from pyfastlm.onion.grid import COMMON, OWN, FitOptions, Plan, estimate, run_grid
    from pyfastlm.onion.report import tables

    names = variant or ["autoregressive"]
    if unknown := [name for name in names if name not in ("autoregressive", "no-input")]:
        raise InputError(f"variant: expected autoregressive or no-input, got {unknown[0]!r}")
    plan = Plan(
        sizes=tuple(size or (48, 64, 256)),
        no_inputs=tuple(name == "no-input" for name in names),
        seeds=tuple(seed or (0, 1, 2)),
        conditions=(OWN, *COMMON) if matched else (OWN,),
        training=TrainingOptions(steps),
        fitting=FitOptions(fit_steps),
        n_symbols=symbols,
        min_len=min_len,
        max_len=max_len,
        n_train=n_train,
        n_valid=n_valid,
    )
    processes = workers or num_threads()
    seconds = estimate(plan, output, workers=processes)
    print(f"{len(plan.cells)} models, about {seconds / 60:.0f} minutes on {processes} cores", file=sys.stderr)
    if dry_run:
        return
    found = run_grid(plan, output, workers=processes, progress=True)
    if json:
        show.as_json({"cells": [each.cell.name for each in found], "verdicts": tables.verdicts(found)})
        return
    for table in (tables.models(found), tables.own(found)):
        show.table(table.title, table.columns, table.rows)
    for said in tables.verdicts(found):
        print(said)
