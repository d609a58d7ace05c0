"""``pyfastlm ir train``: a reranker that learns from queries."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from pyfastlm.cli import ir_options as given


def command(
    task: given.Task,
    queries: Annotated[str, typer.Argument(help="JSON lines of ir generate.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="New directory for the reranker.", show_default=False)
    ],
    gold: Annotated[
        Path | None,
        typer.Option(help="Task whose queries and documents must not be trained on.", show_default=False),
    ] = None,
    base: given.Base = "minilm",
    reset: Annotated[
        str, typer.Option(help="Weights that begin at random: classifier, head or all (a control).")
    ] = "classifier",
    loss: given.Loss = "infonce",
    lr: given.Rate = given.RATE,
    epochs: given.Epochs = given.EPOCHS,
    batch_size: Annotated[int, typer.Option(min=1, help="Queries of a step.")] = 4,
    max_length: given.MaxLength = 192,
    negatives: given.Negatives = given.NEGATIVES,
    seed: given.Seed = 0,
    json: given.Json = False,
) -> None:
    """Mine negatives, and train a cross-encoder that sentence-transformers reads.

    \b
    Example:
        pyfastlm ir train cranfield queries.jsonl -o reranker
    """
    from pyfastlm._require import expect
    from pyfastlm.cli import show
    from pyfastlm.ir import HeldOut, RerankerOptions, mine_negatives, train_reranker
    from pyfastlm.ir.data import open_task
    from pyfastlm.ir.generation.files import read_queries
    from pyfastlm.lm.saving import check_directory

    check_directory(output)  # mistakes show before anything is loaded
    expect(["sentence_transformers"], "ir")
    options = RerankerOptions(
        loss=loss,
        learning_rate=lr,
        epochs=epochs,
        batch_size=batch_size,
        max_length=max_length,
        reset=cast(Any, reset),  # checked there
    )
    held = None if gold is None else HeldOut.of(open_task(gold))
    corpus = open_task(task).corpus
    mined = mine_negatives(
        read_queries(queries), corpus, k=negatives, held_out=held, seed=seed, progress=True
    )
    trained = train_reranker(
        mined.examples, base=base, options=options, held_out=held, seed=seed, progress=True
    )
    trained.reranker.save(output)
    if json:
        show.as_json(
            {
                "output": str(output),
                "examples": len(mined.examples),
                "dropped": dict(mined.dropped),
                "refused": dict(mined.refused),
                "filled": mined.filled,
                "losses": trained.losses,
                "seconds": trained.seconds,
            }
        )
        return
    rows = [["trained on", f"{len(mined.examples):,}"]]
    rows += [[f"dropped: {reason}", f"{count:,}"] for reason, count in mined.dropped]
    rows += [[f"no negatives: {reason}", f"{count:,}"] for reason, count in mined.refused]
    show.table("Examples", ["", "queries, documents"], rows)
    first, last = trained.losses[0], trained.losses[-1]
    print(f"loss {first:.3f} to {last:.3f} in {trained.seconds:,.0f} s; reranker: {output}")
