"""``pyfastlm ir generate``: a query for each document, by a language model."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli import ir_options as given


def command(
    task: given.Task,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSON lines {document, text, ...}.", show_default=False)
    ],
    prompt: Annotated[str, typer.Option(help="What to write.")] = (
        "Write a search query by which somebody would find this document."
    ),
    cue: Annotated[str, typer.Option(help="What the answer begins with.")] = "Query:",
    lm: given.Lm = "smollm2",
    documents: Annotated[
        int | None, typer.Option(min=1, help="How many, drawn from the corpus.", show_default="all")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Task whose queries and documents are held out: those that a prompt is chosen by.",
            show_default=False,
        ),
    ] = None,
    cache: given.CacheFile = None,
    temperature: Annotated[
        float | None, typer.Option(help="Draw tokens.", show_default="the likeliest each time")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of a query.")] = 32,
    document_tokens: Annotated[int, typer.Option(min=1, help="Of a document that are read.")] = 192,
    batch_size: Annotated[int, typer.Option(min=1, help="Documents at a time.")] = 32,
    copy_limit: Annotated[
        float, typer.Option(help="Leave out queries of which more is copied (runs of 4 words).")
    ] = 0.5,
    seed: given.Seed = 0,
    json: given.Json = False,
) -> None:
    """Write queries to train on. What is in the cache is not written again.

    \b
    Example:
        pyfastlm ir generate cranfield -o queries.jsonl --documents 200 --cache written
    """
    import numpy as np

    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.ir import HeldOut, Prompt, QueryGenerator
    from pyfastlm.ir.data import open_task
    from pyfastlm.ir.generation.files import write_queries
    from pyfastlm.lm.sampling import Sampling

    corpus = open_task(task).corpus
    wanted = Prompt(prompt, cue)
    if gold is not None:
        held = HeldOut.of(open_task(gold))
        held.check_prompt(wanted)
        corpus = held.sources(corpus)
    names = [*corpus]
    if documents is not None:
        if documents > len(names):
            raise InputError(f"documents: expected at most {len(names)}, got {documents}")
        names = [names[place] for place in np.random.default_rng(seed).permutation(len(names))[:documents]]
    found = QueryGenerator(
        lm,
        wanted,
        cache=cache,
        sampling=None if temperature is None else Sampling(temperature),
        max_tokens=max_tokens,
        document_tokens=document_tokens,
        batch_size=batch_size,
        copy_limit=copy_limit,
    ).generate({name: corpus[name] for name in names}, seed=seed, progress=True)
    write_queries(found.queries, output)
    if json:
        show.as_json(
            {
                "output": str(output),
                "queries": len(found.queries),
                "documents": len(names),
                "asked": found.asked,
                "rejected": dict(found.reasons),
            }
        )
        return
    rows = [["kept", f"{len(found.queries):,}"], *([reason, f"{count:,}"] for reason, count in found.reasons)]
    show.table(f"Queries for {len(names):,} documents", ["", "documents"], rows)
    print(f"{found.asked:,} were written now, the others came from the cache; queries: {output}")
