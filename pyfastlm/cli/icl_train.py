"""``pyfastlm icl train``: a small model that learns GINC."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli.icl_options import Json, Seed


def command(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory for the log and checkpoints.", show_default=False),
    ],
    hmms: Annotated[int, typer.Option(min=1, help="Models of the world.")] = 5,
    layers: Annotated[int, typer.Option(min=1, help="Blocks of the Llama.")] = 4,
    width: Annotated[int, typer.Option(min=1, help="Its hidden size.")] = 64,
    heads: Annotated[int, typer.Option(min=1, help="Of its attention.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW.")] = 3000,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts of a step.")] = 8,
    length: Annotated[int, typer.Option(min=2, help="Words of a text.")] = 256,
    smoothing: Annotated[
        float, typer.Option(min=0, max=1, help="Share of steps that go anywhere, as prompts do.")
    ] = 0.1,
    lr: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 8e-3,
    cooldown: Annotated[float, typer.Option(help="Share of the steps in which it falls to 0.")] = 0.4,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    keep: Annotated[
        list[int] | None, typer.Option(help="Keep the checkpoint of this step; may be repeated.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier run there.")] = False,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a small Llama on texts by hidden Markov models, drawn as it goes. A run that was stopped goes on.

    \b
    Example:
        pyfastlm icl train -o small --keep 400
        pyfastlm icl ginc --model small/checkpoint-000003000 -k 3 --shots 64 -o small.csv
    """
    from pyfastlm.cli import show
    from pyfastlm.icl import GINC, Shape, TrainingOptions, train_ginc

    options = TrainingOptions(
        steps,
        batch_size,
        length,
        smoothing,
        lr,
        cooldown=cooldown,
        seed=seed,
        checkpoint_every=checkpoint_every,
        grid=tuple(sorted({*(keep or ())})),
    )
    run = train_ginc(
        GINC.make(hmms),
        output,
        shape=Shape(layers, width, heads),
        options=options,
        resume=not fresh,
        progress=True,
    )
    if json:
        show.as_json(
            {
                "log": [{"step": entry.step, "loss": entry.loss, "lr": entry.lr} for entry in run.log],
                "checkpoints": [str(path) for path in run.checkpoints],
                "resumed_step": run.resumed_step,
                "seconds": run.seconds,
            }
        )
        return
    shown = run.log[:: max(1, len(run.log) // 10)]
    show.table(
        f"{steps} steps in {run.seconds:.0f} s, {run.resumed_step} of them before",
        ["step", "nats a word", "rate"],
        [[str(e.step), f"{e.loss:.3f}", f"{e.lr:.2g}"] for e in dict.fromkeys((*shown, run.log[-1]))],
    )
