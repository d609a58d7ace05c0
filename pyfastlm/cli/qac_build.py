"""``pyfastlm qac build``: files of terms with counts to an index."""

import os
import time
from pathlib import Path
from typing import Annotated, cast

import typer

ORDERS = "count-term, term-count"
NORMALIZERS = "none, nfkc_casefold"


def command(
    counts: Annotated[
        list[str],
        typer.Argument(
            metavar="COUNTS",
            help="Files: .tsv or .txt (count, tab, term), .jsonl (term, count), each also .gz; .parquet "
            "(columns term, count); - for .tsv on standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Index to write.", show_default=False)],
    order: Annotated[str, typer.Option(help=f"Of the columns of a .tsv: {ORDERS}.")] = "count-term",
    normalizer: Annotated[
        str, typer.Option(help=f"What terms and searches go through: {NORMALIZERS}.")
    ] = "nfkc_casefold",
    duplicates: Annotated[
        str, typer.Option(help="Count of a term that comes several times: sum, max, last, or error.")
    ] = "sum",
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Build an index of terms with counts.

    The index appears whole or not at all, and replaces what was there before. Terms that need more memory
    than 1 GiB are sorted beside it.

    \b
    Example:
        pyfastlm qac build counts.tsv.gz -o terms.index
    """
    from pyfastlm.cli import show
    from pyfastlm.index import TermIndex
    from pyfastlm.index.normalize import Normalizer
    from pyfastlm.qac.count_files import CountFiles, Order

    # Both check what they are given.
    files = CountFiles(counts, order=cast(Order, order))
    start = time.perf_counter()
    index = TermIndex.build(files, output, normalizer=cast(Normalizer, normalizer), duplicates=duplicates)
    seconds = time.perf_counter() - start
    terms, size = len(index), os.stat(output).st_size
    per_term = size / terms if terms else float("nan")
    if json:
        show.as_json(
            {
                "index": output,
                "rows": files.rows,
                "terms": terms,
                "bytes": size,
                "bytes_per_term": per_term,
                "seconds": seconds,
                "normalizer": normalizer,
            }
        )
        return
    show.table(
        f"Index {output}",
        ["rows", "terms", "bytes", "bytes/term", "seconds"],
        [[f"{files.rows:,}", f"{terms:,}", f"{size:,}", f"{per_term:.2f}", f"{seconds:.2f}"]],
    )
