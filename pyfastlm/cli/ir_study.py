"""``pyfastlm ir study``: whether the gold score of a prompt says anything of its test score."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyfastlm.cli import ir_options as given

if TYPE_CHECKING:
    from pyfastlm.ir.study import Budget

PRESETS: dict[str, dict[str, int]] = {
    "short": {"prompts": 3, "documents": 32, "rungs": 2, "seeds": 2, "test_queries": 30},
    "full": {"prompts": 7, "documents": 64, "rungs": 2, "seeds": 3, "test_queries": 60},
}


def command(
    task: given.Task,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory for it, and report.md.", show_default=False),
    ],
    preset: Annotated[
        str, typer.Option(help="short (for short texts some 4 minutes of two cores) or full (25).")
    ] = "full",
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Task whose queries choose. Without it, ten of the task's own do, and the others report.",
            show_default=False,
        ),
    ] = None,
    gold_queries: Annotated[int, typer.Option(min=1, help="How many of the task's own.")] = 10,
    test_queries: Annotated[
        int | None, typer.Option(min=1, help="That report, drawn from the others.", show_default="preset")
    ] = None,
    prompt: Annotated[str, typer.Option(help="Manual prompt.")] = (
        "Write a search query by which somebody would find this document."
    ),
    cue: Annotated[str, typer.Option(help="What the answers to it begin with.")] = "Query:",
    prompts: Annotated[
        int | None, typer.Option(min=2, help="Of the grammar, beside it.", show_default="preset")
    ] = None,
    about: Annotated[str, typer.Option(help="What documents are searched for; begins each prompt.")] = "",
    lm: given.Lm = "smollm2",
    max_tokens: Annotated[int, typer.Option(min=1, help="Of a query.")] = 32,
    documents: Annotated[
        int | None,
        typer.Option(min=1, help="For each prompt on the first rung.", show_default="preset"),
    ] = None,
    rungs: Annotated[
        int | None, typer.Option(min=1, help="With twice as many documents each.", show_default="preset")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Trainings of each prompt.", show_default="preset")
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
    """Train with every prompt, and measure all on gold and on test, beside controls. Stopped, it goes on.

    \b
    Examples:
        pyfastlm ir study /usr/share/wordnet -o wordnet --preset short --max-length 48
        pyfastlm ir study cranfield -o cranfield --depth 30
        pyfastlm ir report wordnet
    """
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.ir import Grammar, Prompt, QueryGenerator, RerankerOptions, SearchOptions
    from pyfastlm.ir.data import open_task
    from pyfastlm.ir.report import tables, write_report
    from pyfastlm.ir.study import run_study

    if preset not in PRESETS:
        raise InputError(f"preset: expected {' or '.join(PRESETS)}, got {preset!r}")
    sizes = PRESETS[preset] | {
        name: value
        for name, value in (
            ("prompts", prompts),
            ("documents", documents),
            ("rungs", rungs),
            ("seeds", seeds),
            ("test_queries", test_queries),
        )
        if value is not None
    }
    whole = open_task(task)
    chosen, test = whole.split(gold_queries, seed=seed) if gold is None else (open_task(gold), whole)
    manual = Prompt(prompt, cue)
    output.mkdir(exist_ok=True)
    found = run_study(
        QueryGenerator(lm, manual, cache=output / "written.sqlite", max_tokens=max_tokens),
        chosen,
        test.some(sizes["test_queries"], seed=seed),
        prompts=[each for each in Grammar(about).draw(sizes["prompts"], seed=seed) if each != manual],
        directory=output,
        options=SearchOptions(
            sizes["documents"],
            sizes["rungs"],
            seeds=tuple(range(sizes["seeds"])),
            negatives=negatives,
            depth=depth,
        ),
        training=RerankerOptions(loss=loss, learning_rate=lr, epochs=epochs, max_length=max_length),
        base=base,
        depth=depth,
        seed=seed,
        announce=announce,
        progress=True,
    )
    page = write_report(found, output)
    if json:
        show.as_json({"report": str(page)} | tables.summary(found))
    else:
        told(found, page)


def told(found: Any, page: Path | None) -> None:
    """Print a study."""
    from pyfastlm.cli import show
    from pyfastlm.ir.report import tables

    for table in (tables.rows(found), tables.prompts(found), tables.rungs(found), tables.costs(found)):
        show.table(table.title, table.columns, table.rows)
        print(table.note)
    for said in tables.verdicts(found):
        print(said)
    if page is not None:
        print(f"report: {page}")


def announce(to_do: "Budget") -> None:
    """Say on standard error what is about to be done."""
    print(
        f"At most {to_do.queries:,} queries are written, {to_do.trainings} rerankers trained on "
        f"{to_do.examples:,} examples, and {to_do.pairs:,} pairs scored: about {to_do.minutes:.0f} minutes, "
        "as fast as the machine is now. What is there already is not made again.",
        file=sys.stderr,
    )
