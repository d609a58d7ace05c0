"""``pyfastlm ir optimize``: the prompt whose queries train the best reranker."""

from pathlib import Path
from typing import Annotated

import typer

from pyfastlm.cli import ir_options as given


def command(
    task: given.Task,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory for all of it.", show_default=False)
    ],
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Task whose queries choose. Without it, ten of the task's own do, and the others report.",
            show_default=False,
        ),
    ] = None,
    gold_queries: Annotated[int, typer.Option(min=1, help="How many of the task's own.")] = 10,
    prompt: Annotated[str, typer.Option(help="Manual prompt to begin with.")] = (
        "Write a search query by which somebody would find this document."
    ),
    prompts: Annotated[int, typer.Option(min=1, help="Of the grammar, beside it.")] = 7,
    about: Annotated[str, typer.Option(help="What documents are searched for; begins each prompt.")] = "",
    lm: given.Lm = "smollm2",
    documents: Annotated[int, typer.Option(min=1, help="For each prompt on the first rung.")] = 64,
    rungs: Annotated[int, typer.Option(min=1, help="With twice as many documents each.")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each prompt.")] = 2,
    final_documents: Annotated[
        int | None, typer.Option(min=1, help="For the last training.", show_default="as on the last rung")
    ] = None,
    base: given.Base = "minilm",
    loss: given.Loss = "infonce",
    lr: given.Rate = given.RATE,
    epochs: given.Epochs = given.EPOCHS,
    max_length: given.MaxLength = 192,
    negatives: given.Negatives = given.NEGATIVES,
    depth: given.Depth = None,
    seed: given.Seed = 0,
    json: given.Json = False,
) -> None:
    """Search prompts by halving, train with the best, and evaluate once. Stopped, it goes on.

    \b
    Example:
        pyfastlm ir optimize clinical-trial.test_set.json.gz --gold clinical-trial.dev_set.json.gz -o path
    """
    from pyfastlm.cli import show
    from pyfastlm.ir import (
        Grammar,
        HeldOut,
        QueryGenerator,
        RerankerOptions,
        SearchOptions,
        evaluate,
        optimize_prompt,
    )
    from pyfastlm.ir.bm25 import bm25_run
    from pyfastlm.ir.data import open_task
    from pyfastlm.lm.saving import check_directory

    whole = open_task(task)
    chosen, test = whole.split(gold_queries, seed=seed) if gold is None else (open_task(gold), whole)
    training = RerankerOptions(loss=loss, learning_rate=lr, epochs=epochs, max_length=max_length)
    options = SearchOptions(
        documents, rungs, seeds=tuple(range(seeds)), negatives=negatives, depth=depth,
        final_documents=final_documents,
    )  # fmt: skip
    output.mkdir(exist_ok=True)
    check_directory(output / "reranker")
    search = optimize_prompt(
        QueryGenerator(lm, prompt, cache=output / "written.sqlite"),
        chosen,
        whole.corpus,
        prompts=[each for each in Grammar(about).draw(prompts, seed=seed) if each.instruction != prompt],
        options=options,
        training=training,
        base=base,
        held_out=HeldOut.of(chosen, test),
        log=output / "trials.jsonl",
        seed=seed,
        progress=True,
    )
    bm25 = evaluate(test.qrel, bm25_run(test)).summary()
    found = None
    if search.reranker is not None:
        search.reranker.save(output / "reranker")
        run = search.reranker.run(test, depth=depth, progress=True)
        found = evaluate(test.qrel, run).summary()
    if json:
        show.as_json(
            {
                "best": {"instruction": search.best.instruction, "cue": search.best.cue},
                "rungs": [
                    {"documents": rung.documents, "scores": rung.scores, "spreads": rung.spreads}
                    for rung in search.rungs
                ],
                "test": None if found is None else found._asdict(),
                "bm25": bm25._asdict(),
                "output": str(output),
            }
        )
        return
    for rung in search.rungs:
        rows = [
            [
                f"{each.instruction} {each.cue}",
                f"{100 * score:.1f}",
                f"{100 * spread:.1f}",
                f"{100 * over.mean:.1f} [{100 * over.low:.1f}, {100 * over.high:.1f}]",
            ]
            for each, score, spread, over in zip(
                rung.prompts, rung.scores, rung.spreads, rung.differences, strict=True
            )
        ]
        show.table(
            f"NDCG@10 on {len(chosen.query)} gold queries, {rung.documents} documents",
            ["prompt", "mean", "sd of seeds", "behind the best"],
            rows,
        )
    print(f"BM25 on {len(test.query)} test queries: {_shown(bm25)}")
    if found is None:
        print("No query of the best prompt was fit to train on, so there is no reranker.")
    else:
        print(f"reranker on the same: {_shown(found)}; in {output / 'reranker'}")


def _shown(of: tuple[float, float, float]) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in of))
