"""``pyfastlm select bpb``: bits per byte of many models on the domains of a sample."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pyfastlm.cli import ray_options

if TYPE_CHECKING:
    from pyfastlm.lm.files.score import EngineName
    from pyfastlm.selection import MatrixReport, ModelReport
    from pyfastlm.selection.bpb.rules import Duplicates, Missing


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="SAMPLE",
            help="Files with a text and a domain: .jsonl (also .gz, .zst), .parquet; globs in quotes.",
            show_default=False,
        ),
    ],
    models: Annotated[
        Path,
        typer.Option(
            "--models",
            "-m",
            help="List of models: a line each with name and family; or .jsonl, .csv with name, family, path, "
            "revision, dtype.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)
    ],
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    domain_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the domain.")] = "domain",
    missing: Annotated[
        str,
        typer.Option(
            help="Where a model has no score for a document: raise (an error), drop_model, drop_document, "
            "drop_domain."
        ),
    ] = "raise",
    duplicates: Annotated[
        str, typer.Option(help="Where two models are the same: raise (an error), family (make it one), drop.")
    ] = "raise",
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a window; by default all that a model can take.")
    ] = None,
    tokens_per_batch: Annotated[
        int | None, typer.Option(min=1, help="Tokens run at once: speed against memory.")
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Take over what is scored already; otherwise start afresh.")
    ] = True,
    threads: ray_options.Threads = None,
    engine: ray_options.Engine = "local",
    workers: ray_options.Workers = None,
    gpus_per_worker: ray_options.GpusPerWorker = None,
    address: ray_options.Address = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Score a sample with many models; one number for each model and domain.

    The scores of each model are kept in OUTPUT.models. Killed at any moment, the same command goes on
    where it was, to the same matrix; with more models in the list it scores only these. The same command
    on several machines that share the directory divides the models among them; workers of a Ray cluster
    divide the documents of each model.

    \b
    Example:
        pyfastlm select bpb sample.jsonl.zst -m models.txt -o bpb.parquet --missing drop_document
    """
    ray = ray_options.ray_options(engine, workers, gpus_per_worker, address, threads)
    from pyfastlm.cli import show
    from pyfastlm.selection import bpb_matrix

    with ray_options.clean_output():
        report = bpb_matrix(
            models,
            inputs,
            output,
            text_key=text_key,
            domain_key=domain_key,
            missing=cast("Missing", missing),
            duplicates=cast("Duplicates", duplicates),
            resume=resume,
            tokens_per_batch=tokens_per_batch,
            max_length=max_length,
            progress=True,
            engine=cast("EngineName", engine),
            ray=ray,
        )
    if json:
        show.as_json(asdict(report))
    else:
        _as_table(report)


def _as_table(report: "MatrixReport") -> None:
    from pyfastlm.cli import show

    show.table(
        f"Matrix {report.output}",
        ["model", "family", "bits/byte", "tokens", "missing", "seconds", "tokens/s"],
        [_cells(model) for model in report.models],
    )
    for model in report.models:
        if model.reason:
            print(f"left out: {model.name}: {model.reason}")
        elif model.duplicate_of:
            print(f"the same as {model.duplicate_of}: {model.name}, now of the family {model.family}")
    print(
        f"models: {len(report.kept):,} of {len(report.models):,}; domains: {report.domains:,}; "
        f"documents: {report.documents:,} of {report.rows:,} rows ({report.useless:,} useless, "
        f"{report.dropped:,} dropped); {report.seconds:,.1f} s"
    )
    if report.dropped_domains:
        some = ", ".join(report.dropped_domains[:5]) + (", ..." if len(report.dropped_domains) > 5 else "")
        print(f"domains left out: {len(report.dropped_domains):,}: {some}")
    if report.missing_scores:
        print(f"missing scores: {report.missing_scores}")
    print(f"report: {report.report}")


def _cells(model: "ModelReport") -> list[str]:
    if not model.kept:
        return [model.name, model.family, "-", "-", f"{model.missing:,}", "-", "-"]
    speed = f"{model.tokens_per_second:,.0f}" if model.seconds else "-"
    return [
        model.name,
        model.family,
        f"{model.bits_per_byte:.4f}",
        f"{model.tokens:,}",
        f"{model.missing:,}",
        f"{model.seconds:,.1f}",
        speed,
    ]
