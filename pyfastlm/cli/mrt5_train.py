"""``pyfastlm mrt5 train``: span corruption on texts in files."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.mrt5.training import TrainResult


def command(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS",
            help="LANGUAGE=FILE, or FILE named by its language: .txt (one text a line), .jsonl, .parquet; "
            "also .gz, .zst.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for checkpoints and the log.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Start from: directory or hub id of a ByT5 or MrT5."),
    ] = None,
    size: Annotated[
        str, typer.Option(help="Without --model, from scratch: tiny, diagnostic, small (ByT5's).")
    ] = "small",
    gate: Annotated[bool, typer.Option(help="A delete gate; without one, the control.")] = True,
    pooling: Annotated[
        str | None,
        typer.Option(help="In place of a gate, a baseline that merges bytes: boundary or convolution."),
    ] = None,
    prior: Annotated[
        float | None, typer.Option(help="Of boundary: fraction of the length that should be left; 0.2.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Of convolution: how many bytes become one row; 4.")
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help="Fraction of the bytes that a gate shall delete, steered by the controller; 0.5."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Weight of the regulariser to begin with.")] = 0.0,
    kp: Annotated[float, typer.Option(help="Proportional gain of the controller.")] = 0.5,
    ki: Annotated[float, typer.Option(help="Integral gain; runs of hundreds of steps want 1e-3.")] = 1e-5,
    delay: Annotated[int, typer.Option(min=0, help="Steps before regulariser and controller begin.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 5000,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows run at once.")] = 16,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches of a step.")] = 1,
    lr: Annotated[float, typer.Option(help="Learning rate of the first step; falls linearly to 0.")] = 1e-4,
    input_length: Annotated[int, typer.Option(min=3, help="Ids of an input, EOS included.")] = 1024,
    mean_span: Annotated[float, typer.Option(help="Mean length of a replaced span, in bytes.")] = 20.0,
    hard: Annotated[float, typer.Option(help="Fraction of the steps with hard deletion.")] = 0.0,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    seed: Annotated[int, typer.Option(min=0, help="Of all randomness.")] = 0,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between lines of the log.")] = 100,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 1000,
    resume: Annotated[
        bool, typer.Option(help="Go on with an unfinished run; otherwise start afresh and remove it.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the log as JSON.")] = False,
) -> None:
    """Train on texts with T5's span corruption, with a delete gate, a pooling or neither.

    Writes checkpoints and log.jsonl into a directory. Killed at any moment, the same command goes on where
    it was.

    \b
    Example:
        pyfastlm mrt5 train de=german.txt fr=french.txt -o run --model google/byt5-small --target 0.5
    """
    from pyfastlm.mrt5.controller import DeletionController
    from pyfastlm.mrt5.corruption import SpanCorruption
    from pyfastlm.mrt5.loading import start_model
    from pyfastlm.mrt5.texts import read_texts
    from pyfastlm.mrt5.training import train

    controller = DeletionController(
        0.5 if target is None else target, alpha=alpha, kp=kp, ki=ki, regularizer_delay=delay
    )
    _check(pooling, gate=gate, target=target, prior=prior, rate=rate)
    given = {"boundary_prior": prior, "convolution_rate": rate}
    changes = {name: value for name, value in given.items() if value is not None}
    corruption = SpanCorruption(input_length=input_length, mean_span_length=mean_span, seed=seed)
    found = read_texts(texts, text_key=text_key)  # mistakes in paths show before a model is loaded
    result = train(
        start_model(model, size, gate=gate, pooling=pooling, seed=seed, **changes),
        corruption.data(found),
        steps=steps,
        batch_size=batch_size,
        accumulate=accumulate,
        lr=lr,
        controller=controller if gate and pooling is None else None,
        hard_delete_probability=hard,
        out=out,
        resume=resume,
        seed=seed,
        log_every=log_every,
        save_every=save_every,
        progress=True,
    )
    _as_json(result) if json else _as_table(result)


def _check(
    pooling: str | None, *, gate: bool, target: float | None, prior: float | None, rate: int | None
) -> None:
    """Refuse options that the model would not heed."""
    what = f"--pooling {pooling}" if pooling else "no --pooling"
    for name, is_given, fits, why in (
        ("gate", not gate, pooling is None, "it has no gate"),
        ("target", target is not None, pooling is None, "it has no gate that a controller could steer"),
        ("prior", prior is not None, pooling == "boundary", "it is of boundary"),
        ("rate", rate is not None, pooling == "convolution", "it is of convolution"),
    ):
        if is_given and not fits:
            raise InputError(f"{name}: expected none with {what}: {why}")


def _as_json(result: "TrainResult") -> None:
    from pyfastlm.cli import show

    show.as_json(
        {
            "checkpoint": result.checkpoint,
            "steps": result.steps,
            "resumed_step": result.resumed_step,
            "seconds": result.seconds,
            "log": [asdict(entry) for entry in result.log],
        }
    )


def _as_table(result: "TrainResult") -> None:
    from pyfastlm.cli import show

    rows = [
        [
            f"{entry.step:,}",
            f"{entry.bits_per_byte:.4f}",
            f"{entry.deleted:.1%}",
            f"{entry.alpha:.2e}",
            f"{entry.seconds:,.1f}",
        ]
        for entry in result.log
    ]
    columns = ["step", "bits/byte", "deleted", "alpha", "seconds"]
    show.table("Training", columns, rows[:-1], rows[-1])
    resumed = f", {result.resumed_step:,} of them by earlier runs" if result.resumed_step else ""
    print(f"{result.steps:,} steps{resumed}; {result.seconds:,.1f} s")
    print(f"model: {result.checkpoint}")
