"""``pyfastlm select sample``: as many pages of each domain of a corpus, in chunks."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="CORPUS",
            help="Files with a text and a domain: .jsonl (also .gz, .zst), .parquet; globs in quotes.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write: .jsonl (also .gz, .zst), .parquet.", show_default=False
        ),
    ],
    pages: Annotated[int, typer.Option(min=0, help="Pages of each domain; 0 for all.")] = 25,
    least: Annotated[
        int | None, typer.Option(min=1, help="Pages that a domain must have; default that many.")
    ] = None,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a chunk; characters without --tokenizer.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Counts tokens: hub id, directory, or smollm2.")
    ] = None,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    domain_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the domain.")] = "domain",
    id_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the id.")] = "id",
    seed: Annotated[int, typer.Option(help="Another one takes other pages.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Take as many pages at random of each domain that has so many, and cut them into chunks.

    The same pages are taken whatever the order of the files is.

    \b
    Example:
        pyfastlm select sample 'corpus/*.parquet' -o sample.jsonl.zst --chunk 512 --tokenizer smollm2
    """
    from pyfastlm.cli import show
    from pyfastlm.selection import sample

    report = sample(
        inputs,
        output,
        text_key=text_key,
        domain_key=domain_key,
        id_key=id_key,
        pages=pages or None,
        least=least,
        chunk=chunk,
        tokenizer=tokenizer,
        seed=seed,
        progress=True,
    )
    if json:
        show.as_json(asdict(report))
        return
    tokens = "-" if report.tokens is None else f"{report.tokens:,}"
    cells = [report.domains, report.small_domains, report.pages, report.chunks, report.bytes]
    show.table(
        f"Sample {report.output}",
        ["domains", "too small", "pages", "chunks", "bytes", "tokens", "seconds"],
        [[*(f"{cell:,}" for cell in cells), tokens, f"{report.seconds:,.1f}"]],
    )
    print(f"rows: {report.rows:,}, of which {report.useless:,} have no text or no domain")
    if report.examples:
        first = report.examples[0]
        print(f"first of these: {first.source}, row {first.row:,}: {first.reason}")
    print(f"domains of the corpus: {report.sizes}")
