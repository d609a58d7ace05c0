"""``pyfastlm ir eval``: how good a ranking is."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli import ir_options as given


def command(
    task: given.Task,
    reranker: Annotated[
        str | None,
        typer.Option(
            help="Directory of ir train, or any cross-encoder; of minilm the last layer is random.",
            show_default="BM25 alone",
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="TREC run file to measure instead.", show_default=False)
    ] = None,
    depth: given.Depth = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the ranking as a TREC run.", show_default=False),
    ] = None,
    seed: given.Seed = 42,
    json: given.Json = False,
) -> None:
    """NDCG@10 with linear gain, and other measures, with 95 % intervals by bootstrap over queries.

    \b
    Examples:
        pyfastlm ir eval clinical-trial.test_set.json.gz
        pyfastlm ir eval clinical-trial.test_set.json.gz --reranker best
    """
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.ir.bm25 import bm25_run
    from pyfastlm.ir.data import open_task, read_run, write_run
    from pyfastlm.ir.measures import MEASURES, evaluate, ndcg_at_10
    from pyfastlm.ir.measures.ranking import Run
    from pyfastlm.ir.training.reranker import Reranker

    if run is not None and reranker is not None:
        raise InputError("run: expected either --run or --reranker, got both")
    collection = open_task(task)
    ranking: Run
    if run is not None:
        ranking = read_run(run)
    elif reranker is None:
        ranking = bm25_run(collection)
    else:
        ranking = Reranker.load(reranker).run(collection, depth=depth, progress=True)
    if output is not None:
        write_run(ranking, output)
    found = evaluate(collection.qrel, ranking)
    expected = ndcg_at_10(collection.qrel, ranking, ties="expected")
    summaries = {name: found.summary(name, seed=seed) for name in MEASURES}
    if json:
        measures = {name: value._asdict() for name, value in summaries.items()}
        show.as_json(
            {
                "task": collection.name,
                "queries": len(found.queries),
                "unanswered": found.unanswered,
                "ndcg_at_10_expected_under_ties": expected,
                **measures,
            }
        )
        return
    rows = [
        [name, f"{100 * mean:.1f}", f"{100 * low:.1f} to {100 * high:.1f}"]
        for name, (mean, low, high) in summaries.items()
    ]
    show.table(f"{collection.name}: {len(found.queries)} queries", ["in %", "mean", "95 % interval"], rows)
    print(f"Equal scores go by id; meaned over their orders, NDCG@10 is {100 * expected:.1f}.")
    if found.unanswered:
        print(f"{found.unanswered} queries are not in the run, and count 0.")
