"""``pyfastlm memorize index``: the documents of files to an index of all their sequences."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="CORPUS",
            help="Files: .txt (a document a line), .jsonl, both also .gz, .zst; .parquet; globs in quotes. "
            "Or one .npy file of token ids, [units] or [documents, units].",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Index to write.", show_default=False)],
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Index tokens, not bytes: hub id, directory, or smollm2.", show_default=False),
    ] = None,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    across: Annotated[
        bool, typer.Option("--across", help="Let matches go from one document into the next.")
    ] = False,
    memory: Annotated[int, typer.Option(min=1, help="MiB to sort in; a larger corpus gets parts.")] = 1024,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Build the index of a corpus: how often it has a sequence is then a matter of microseconds.

    The index appears whole or not at all, and replaces what was there before. It takes some 5 bytes for each
    byte of text.

    \b
    Example:
        pyfastlm memorize index 'corpus/*.jsonl.zst' -o corpus.index
    """
    from pyfastlm.cli import show
    from pyfastlm.memorization import CorpusIndex, read_corpus

    start = time.perf_counter()
    index = CorpusIndex.build(
        read_corpus(files, text_key=text_key),
        output,
        tokenizer=tokenizer,
        across=across,
        memory=memory << 20,
        progress=True,
    )
    seconds = time.perf_counter() - start
    size = os.stat(output).st_size
    if json:
        show.as_json(
            {
                "index": output,
                "kind": index.kind,
                "documents": index.documents,
                "units": len(index),
                "parts": index.parts,
                "longest_pattern": index.longest_pattern,
                "bytes": size,
                "seconds": seconds,
            }
        )
        return
    unit = "tokens" if index.kind == "tokens" else "bytes"
    show.table(
        f"Index {output}",
        ["documents", unit, "parts", "bytes of the file", "seconds"],
        [
            [
                f"{index.documents:,}",
                f"{len(index):,}",
                f"{index.parts:,}",
                f"{size:,}",
                f"{seconds:.2f}",
            ]
        ],
    )
