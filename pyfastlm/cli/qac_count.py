"""``pyfastlm qac count``: logs of searches to counts of terms."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.errors import InputError


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="LOGS",
            help="AmazonQAC's train split: .parquet or .jsonl (also .gz, .zst); globs in quotes.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Parquet file to write.", show_default=False)
    ],
    since: Annotated[str | None, typer.Option(help="Leave out searches before, e.g. 2023-09-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Leave out searches from then on.")] = None,
    memory: Annotated[int, typer.Option(min=64, help="MiB, before counts go to disk.")] = 2048,
    threads: Annotated[int | None, typer.Option(min=1, help="By default all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Count how often each term was searched, out of core; the result is what ``qac build`` takes.

    \b
    Example:
        pyfastlm qac count 'train/*.parquet' --until 2023-09-25 -o counts.parquet
    """
    from pyfastlm.cli import show
    from pyfastlm.qac.counts import count_terms

    counts = count_terms(
        files,
        output,
        since=_time("since", since),
        until=_time("until", until),
        memory=memory << 20,
        threads=threads,
    )
    if json:
        show.as_json(asdict(counts))
    else:
        cells = [f"{counts.rows:,}", f"{counts.terms:,}", f"{counts.seconds:.2f}"]
        show.table(f"Counts {counts.path}", ["rows", "terms", "seconds"], [cells])


def _time(name: str, text: str | None) -> datetime | None:
    from pyfastlm.qac.rows import parse_time

    try:
        return None if text is None else parse_time(text)
    except ValueError:
        raise InputError(f"{name}: expected a date or a time like 2023-09-25, got {text!r}") from None
