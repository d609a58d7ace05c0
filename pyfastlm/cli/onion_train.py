"""``pyfastlm onion train``: a GRU that repeats sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pyfastlm.cli.onion_options import Held, Json, Longest, Seed, Sequences, Shortest, Symbols

if TYPE_CHECKING:
    from pyfastlm.onion.options import Schedule


def command(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory for the log and a checkpoint.", show_default=False),
    ],
    size: Annotated[int, typer.Option(min=1, help="N, of the state.")] = 64,
    no_input: Annotated[bool, typer.Option("--no-input", help="Say without hearing what was said.")] = False,
    symbols: Symbols = 30,
    min_len: Shortest = 2,
    max_len: Longest = 9,
    n_train: Sequences = 1_000_000,
    n_valid: Held = 5000,
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW.")] = 20_000,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences of a step.")] = 256,
    lr: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 3e-3,
    schedule: Annotated[str, typer.Option(help="cosine, or constant as in the paper's code.")] = "cosine",
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier run there.")] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a GRU to repeat random sequences from its last state. A run that was stopped goes on.

    \b
    Example:
        pyfastlm onion train -o small --size 64
        pyfastlm onion intervene small --kind onion
    """
    from pyfastlm.cli import show
    from pyfastlm.onion import RepeatTask, TrainingOptions, train

    options = TrainingOptions(
        steps,
        batch_size,
        lr,
        cast("Schedule", schedule),  # checked there
        warmup=min(500, steps // 10),
        log_every=max(1, steps // 20),
        checkpoint_every=max(1, steps // 10),
    )
    task = RepeatTask(symbols, min_len, max_len, n_train, n_valid, seed)
    run = train(
        task, size, output, no_input=no_input, options=options, seed=seed, resume=not fresh, progress=True
    )
    if json:
        show.as_json(
            {
                "log": [
                    {"step": e.step, "loss": e.loss, "accuracy": e.accuracy, "lr": e.lr} for e in run.log
                ],
                "resumed_step": run.resumed_step,
                "seconds": run.seconds,
            }
        )
        return
    show.table(
        f"{steps:,} steps in {run.seconds:.0f} s, {run.resumed_step:,} of them before",
        ["step", "nats a token", "whole sequences right", "rate"],
        [[f"{e.step:,}", f"{e.loss:.4f}", f"{e.accuracy:.4f}", f"{e.lr:.2g}"] for e in run.log],
    )
