"""``pyfastlm together run``: strategies and seeds of a task, as a grid in a directory."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pyfastlm.together.tasks import Task

TASKS = ("iris", "wordnet", "gsm8k", "hotpot")


def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory of the grid.", show_default=False)
    ],
    task: Annotated[str, typer.Option(help="iris, wordnet, gsm8k or hotpot.")] = "iris",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Of gsm8k: train.jsonl; of hotpot: a JSON list; of wordnet: the directory of data.noun.",
            show_default=False,
        ),
    ] = None,
    lm: Annotated[
        str, typer.Option(help="Hub id, directory, .gguf file, or smollm2; of an endpoint, its name there.")
    ] = "smollm2",
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="OpenAI-compatible server, with its /v1; its weights cannot be tuned. A key is taken from "
            "OPENAI_API_KEY.",
            show_default=False,
        ),
    ] = None,
    strategies: Annotated[
        str | None,
        typer.Option(help="With commas between them; also P-W-P-W and the like.", show_default="all 8"),
    ] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Also gold answers, failed traces, random demonstrations.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from 0.")] = 3,
    candidates: Annotated[int, typer.Option(min=1, help="Of a P step, beside the prompt alone.")] = 6,
    demos: Annotated[int, typer.Option(min=1, help="Of a prompt at most, for each module.")] = 3,
    rounds: Annotated[
        int,
        typer.Option(
            min=1, help="How often a training row is run until it is right, from 2 on drawn at random."
        ),
    ] = 1,
    labeled: Annotated[
        int, typer.Option(min=0, help="Gold rows in the prompt that bootstraps demonstrations.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Of a W step.")] = 5,
    lr: Annotated[float, typer.Option(help="Learning rate of a W step; the paper's is 1e-5.")] = 1e-3,
    batch_size: Annotated[int, typer.Option(min=1, help="Calls in a step of the optimiser.")] = 8,
    rank: Annotated[int, typer.Option(min=1, help="Of the adapters, on queries and keys.")] = 32,
    max_tokens: Annotated[int, typer.Option(min=1, help="That a call may write.")] = 256,
    threads: Annotated[int, typer.Option(min=1, help="Rows that are run at a time.")] = 8,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run strategies under equal budgets, and test each program once. Stopped, it goes on.

    \b
    Examples:
        pyfastlm together run --task iris -o iris --controls
        pyfastlm together run --task gsm8k --data train.jsonl -o gsm8k --strategies none,P,P-P \\
            --endpoint http://127.0.0.1:8000/v1 --lm my-model
        pyfastlm together report iris -o report
    """
    from pyfastlm._require import require
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError, Unavailable
    from pyfastlm.together.report import tables
    from pyfastlm.together.strategies import CONTROLS, STRATEGIES, Budget, run_strategies
    from pyfastlm.together.strategies.plan import TUNING, steps_of

    names = strategies.split(",") if strategies is not None else [*STRATEGIES]
    if endpoint is not None and strategies is None:
        names = [name for name in names if not TUNING & set(steps_of(name))]
    names += CONTROLS if controls else ()
    for name in names:
        steps_of(name)  # mistakes show before a model is loaded
    found = _task(task, data)
    settings = {"rank": rank, "alpha": 2.0 * rank, "epochs": epochs, "lr": lr, "batch_size": batch_size}
    model = _local(lm, max_tokens) if endpoint is None else _served(lm, endpoint, max_tokens)
    try:
        grid = run_strategies(
            found,
            model,
            strategies=names,
            seeds=range(seeds),
            budget=Budget(candidates, demos, rounds, labeled),
            directory=output,
            train_kwargs=settings if endpoint is None else None,
            threads=threads,
            progress=True,
        )
    except require("dspy", "together").utils.exceptions.LMError as error:
        if endpoint is None:
            raise InputError(f"lm: {error}") from error
        raise Unavailable(f"endpoint: {error}") from error
    if json:
        show.as_json({"output": str(output)} | tables.summary(grid))
        return
    for table in (tables.accuracies(grid), tables.contrasts(grid), tables.costs(grid)):
        show.table(table.title, table.columns, table.rows)
        print(table.note)
    for said in tables.doubts(grid):
        print(said)


def _task(name: str, data: Path | None) -> "Task":
    """A task by its name.

    Raises:
        InputError: there is none, or its data are missing.
    """
    from pyfastlm.errors import InputError
    from pyfastlm.together import tasks

    if name not in TASKS:
        raise InputError(f"task: expected {', '.join(TASKS)}, got {name!r}")
    if name == "iris":
        if data is not None:
            raise InputError("data: iris has its own; leave --data out")
        return tasks.iris()
    if name == "wordnet":
        return tasks.wordnet() if data is None else tasks.wordnet(data)
    if data is None:
        raise InputError(f"data: {name} is read from a file; give --data")
    return tasks.gsm8k(data) if name == "gsm8k" else tasks.hotpot(data)


def _local(name: str, max_tokens: int) -> Any:
    """A model in this process."""
    from pyfastlm._require import require
    from pyfastlm.together import HFEngine, InProcessProvider

    dspy = require("dspy", "together")
    engine = HFEngine(name)
    return dspy.LM(
        engine.model_id,
        engine=engine,
        provider=InProcessProvider(engine),
        cache=False,
        temperature=0,
        max_tokens=max_tokens,
    )


def _served(name: str, endpoint: str, max_tokens: int) -> Any:
    """A model behind an endpoint."""
    from pyfastlm._require import require
    from pyfastlm.errors import InputError

    if not endpoint.startswith(("http://", "https://")):
        raise InputError(
            f"endpoint: expected an address that begins with http:// or https://, got {endpoint!r}"
        )
    dspy = require("dspy", "together")
    logging.getLogger("dspy").setLevel(logging.ERROR)  # it warns where it cannot look up prices
    return dspy.LM(
        f"openai/{name}",
        api_base=endpoint,
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
        provider=dspy.Provider(),
        cache=False,
        temperature=0,
        max_tokens=max_tokens,
    )
