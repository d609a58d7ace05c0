"""``pyfastlm memorize measure``: how much of texts a model gives back word for word."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pyfastlm.cli.memorize_sequences import Horizon, Json, numbers

if TYPE_CHECKING:
    from pyfastlm.memorization.metric.files import MeasureReport
    from pyfastlm.memorization.metric.lengths import Mode


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="Texts: .json with {group: {key: text}}; .jsonl/.ndjson, .txt with a text a line (each also "
            ".gz, .zst), .parquet; globs in quotes.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A row for each prompt, as .parquet or .jsonl.", show_default=False
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Lengths by start and prefix, as .png, .svg or .pdf.", show_default=False),
    ] = None,
    prefix_lengths: Annotated[str, typer.Option(help="Tokens of prompts.")] = "8,16,32,64",
    horizon: Horizon = 64,
    mode: Annotated[str, typer.Option(help="token, or normalized: words are compared.")] = "token",
    stride: Annotated[int, typer.Option(min=1, help="A prompt at every so manieth token.")] = 1,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    checkpoint: Annotated[
        str | None, typer.Option(help="What rows call the model; by default its name.", show_default=False)
    ] = None,
    tokens_per_batch: Annotated[
        int | None, typer.Option(min=1, help="Tokens run at once: speed against memory.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Go on with an unfinished job; otherwise start afresh and replace the output."),
    ] = True,
    json: Json = False,
) -> None:
    """Measure how many tokens of texts greedy decoding reproduces, from every start and prefix length.

    Of each text: the longest of all prompts, the same without blanks and repetitions of one token (varied),
    the mean, shares of prompts with 16 and 32 tokens or more, and with all that could be counted (limit).
    Prompts that themselves have what is reproduced are under copied, and count as 0 elsewhere. Ties are
    prompts where another rounding might give another length. Killed at any moment, the same command with an
    output goes on where it was.

    \b
    Example:
        pyfastlm memorize measure passages.json --model smollm2 -o lengths.parquet --picture lengths.png
    """
    from pyfastlm.lm.files.pictures import check_picture
    from pyfastlm.memorization.metric.files import measure_files
    from pyfastlm.memorization.metric.picture import draw

    if picture is not None:
        check_picture(picture, "memorization")
    budget = {} if tokens_per_batch is None else {"tokens_per_batch": tokens_per_batch}
    report = measure_files(
        model,
        inputs,
        output,
        prefix_lengths=numbers("prefix_lengths", prefix_lengths),
        horizon=horizon,
        mode=cast("Mode", mode),  # checked there
        stride=stride,
        text_key=text_key,
        checkpoint=checkpoint,
        resume=resume,
        progress=True,
        **budget,
    )
    if picture is not None:
        draw(report.rows, picture)
    _as_json(report, picture) if json else _as_table(report, picture)


def _as_json(report: "MeasureReport", picture: Path | None) -> None:
    from pyfastlm.cli import show

    shown = asdict(report) | {"picture": picture, "sequences": [one._asdict() for one in report.sequences]}
    del shown["rows"]
    show.as_json(shown)


def _as_table(report: "MeasureReport", picture: Path | None) -> None:
    from pyfastlm.cli import show
    from pyfastlm.memorization.sequences import ORIGINAL

    rows = []
    for one in report.sequences:
        name = (
            one.sequence_id if one.transform in (None, ORIGINAL) else f"{one.sequence_id} ({one.transform})"
        )
        counts = [f"{one.prompts:,}", str(one.longest), str(one.varied), f"{one.mean:.1f}"]
        parts = (one.over_16, one.over_32, one.at_limit)
        shares = ["-" if math.isnan(part) else f"{part:.0%}" for part in parts]
        rows.append([name, *counts, *shares, f"{one.copied:,}", f"{one.ties:,}"])
    columns = ["text", "prompts", "longest", "varied", "mean", ">=16", ">=32", "limit", "copied", "ties"]
    show.table(f"Tokens reproduced by {report.model}", columns, rows)
    resumed = f", {report.resumed:,} of them by earlier runs" if report.resumed else ""
    print(f"texts: {len(report.sequences) + len(report.too_short):,}{resumed}; {report.seconds:,.1f} s")
    if report.too_short:
        print(f"shorter than a prompt: {', '.join(report.too_short[:10])}")
    for what, path in (("rows", report.output), ("picture", picture)):
        if path is not None:
            print(f"{what}: {path}")
