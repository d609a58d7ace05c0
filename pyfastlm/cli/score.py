"""``pyfastlm score``: bits per byte of every document in files."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pyfastlm.cli import ray_options
from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.lm import LM
    from pyfastlm.lm.files import FilesReport, SourceReport
    from pyfastlm.lm.files.score import EngineName
    from pyfastlm.lm.scorer import Precision


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="Files or quoted globs: .jsonl/.ndjson/.json, .txt (each also .gz, .zst), .parquet; "
            "- for JSON lines on standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a window; by default all that the model can take.")
    ] = None,
    tokens_per_batch: Annotated[
        int | None, typer.Option(min=1, help="Tokens run at once: speed against memory.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="model: as the model is; int8: its linear layers in 8 bits, on a CPU.")
    ] = "model",
    sample: Annotated[
        int,
        typer.Option(min=0, help="With int8: documents to score both ways before, to see what it costs."),
    ] = 32,
    resume: Annotated[
        bool,
        typer.Option(help="Go on with an unfinished job; otherwise start afresh and replace the output."),
    ] = True,
    threads: ray_options.Threads = None,
    engine: ray_options.Engine = "local",
    workers: ray_options.Workers = None,
    gpus_per_worker: ray_options.GpusPerWorker = None,
    address: ray_options.Address = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Score the documents of files with a language model.

    Writes one Parquet row per document, in input order, with its log-probability and bits per byte;
    rows that cannot be scored are listed in STEM.rejected.jsonl beside it. Killed at any moment, the
    same command goes on where it was, with either engine.

    \b
    Examples:
        pyfastlm score 'corpus/*.jsonl.gz' -o scores.parquet --model smollm2
        pyfastlm score 'corpus/*.jsonl.gz' -o scores.parquet --engine ray --address auto --workers 4:64
    """
    from pyfastlm.lm import files

    files.check(inputs, output)  # mistakes in paths show before a model is loaded
    ray = ray_options.ray_options(engine, workers, gpus_per_worker, address, threads)
    from pyfastlm.lm import Scorer, load
    from pyfastlm.lm.runner import TOKENS_PER_BATCH

    lm = load(model)
    if precision == "int8" and sample:
        _compare(lm, files.first_texts(inputs, sample, text_key=text_key), max_length)
    scorer = Scorer(
        lm,
        max_length=max_length,
        tokens_per_batch=tokens_per_batch or TOKENS_PER_BATCH,
        precision=cast("Precision", precision),
    )
    with ray_options.clean_output():
        report = files.score_files(
            scorer,
            inputs,
            output,
            text_key=text_key,
            resume=resume,
            progress=True,
            engine=cast("EngineName", engine),
            ray=ray,
        )
    _as_json(report) if json else _as_table(report)
    if report.rejected and not report.documents:
        raise InputError(f"inputs: none of the {report.rejected:,} rows can be scored; see {report.rejects}")


def _compare(lm: "LM", texts: list[str], max_length: int | None) -> None:
    """Say on standard error what 8 bits cost on these texts."""
    if not texts:
        return
    from pyfastlm.lm import compare_precisions

    found = compare_precisions(lm, texts, max_length=max_length)
    faster = found.tokens_per_second_int8 / found.tokens_per_second
    print(
        f"int8 on the first {found.documents:,} documents: {found.bits_per_byte_int8:.4f} bits/byte, the "
        f"model {found.bits_per_byte:.4f}; a document's bits differ by {found.mean_difference:+.2%} on "
        f"average, 95 % of them by less than {found.p95_difference:.2%}; rank correlation "
        f"{found.rank_correlation:.4f}; {faster:.2f} times as fast",
        file=sys.stderr,
    )


def _as_json(report: "FilesReport") -> None:
    from pyfastlm.cli import show

    rates = {
        "documents_per_second": report.documents_per_second,
        "tokens_per_second": report.tokens_per_second,
    }
    show.as_json(asdict(report) | rates)


def _as_table(report: "FilesReport") -> None:
    from pyfastlm.cli import show

    def cells(name: str, of: "FilesReport | SourceReport") -> list[str]:
        counts = (of.documents, of.rejected, of.tokens, of.bytes)
        return [name, *(f"{count:,}" for count in counts), f"{of.bits_per_byte:.4f}"]

    show.table(
        f"Scored by {report.fingerprint}",
        ["source", "documents", "rejected", "tokens", "bytes", "bits/byte"],
        [cells(source.source, source) for source in report.sources],
        cells("all", report),
    )
    resumed = f", {report.resumed_documents:,} of them by earlier runs" if report.resumed_documents else ""
    print(
        f"documents: {report.documents:,}{resumed}; {report.seconds:,.1f} s, "
        f"{report.documents_per_second:,.1f} documents/s, {report.tokens_per_second:,.0f} tokens/s"
    )
    print(f"table: {report.output}")
    if report.rejects:
        print(f"rejected rows: {report.rejects}")
