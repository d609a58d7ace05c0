"""``pyfastlm qac sessions``: logs made up from counts of terms, where there are no real ones."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, cast

import typer

from pyfastlm.errors import InputError


def command(
    counts: Annotated[
        list[str],
        typer.Argument(
            metavar="COUNTS", help="Terms with counts, in the files that qac build takes.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write to.", show_default=False)
    ],
    sessions: Annotated[int, typer.Option(min=1, help="How many.")] = 10_000,
    days: Annotated[int, typer.Option(min=3, help="Over which they are spread.")] = 30,
    train: Annotated[int, typer.Option(min=1, help="Days of train.parquet, the first ones.")] = 20,
    earlier: Annotated[int, typer.Option(min=1, help="Days of earlier.parquet, the next ones.")] = 5,
    order: Annotated[
        str, typer.Option(help="Of the columns of a .tsv: count-term, term-count.")
    ] = "count-term",
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal logs.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make up sessions in the form of AmazonQAC: to count, to fine-tune and weigh on, and to test on.

    What context is worth in them is what the generator put there.

    \b
    Example:
        pyfastlm qac sessions counts.tsv.gz -o logs
        pyfastlm qac count logs/train.parquet -o counts.parquet
        pyfastlm qac build counts.parquet -o terms.index
        pyfastlm qac eval logs/test.parquet --earlier logs/earlier.parquet --index terms.index
    """
    from pyfastlm.cli import show
    from pyfastlm.qac.count_files import CountFiles, Order
    from pyfastlm.qac.sessions import FIRST_DAY, Habits, generate
    from pyfastlm.qac.split import one_prefix
    from pyfastlm.qac.writer import write_amazonqac

    if train + earlier >= days:
        raise InputError(
            f"days: expected more than train and earlier together, {train + earlier}, got {days}"
        )
    pairs = CountFiles(counts, order=cast(Order, order))
    rows = generate(pairs, sessions, seed=seed, habits=Habits(days=days))
    first, second = (FIRST_DAY + timedelta(days=day) for day in (train, train + earlier))
    later = one_prefix(rows, since=first, seed=seed)
    output.mkdir(parents=True, exist_ok=True)
    parts = {
        "train": [row for row in rows if row.time < first],
        "earlier": [row for row in later if row.time < second],
        "test": [row for row in later if row.time >= second],
    }
    written = {name: write_amazonqac(part, output / f"{name}.parquet") for name, part in parts.items()}
    if json:
        show.as_json({"output": output, "sessions": sessions, "seed": seed, "rows": written})
    else:
        cells = [[f"{name}.parquet", f"{count:,}"] for name, count in written.items()]
        show.table(f"Made-up searches in {output}", ["file", "rows"], cells)
