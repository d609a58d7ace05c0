"""``pyfastlm estimate``: what scoring would cost, before it is run."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm._threads import ENVIRONMENT

if TYPE_CHECKING:
    from pyfastlm.lm.cost import Outcome, Prediction, TextWork

PART = 1000  # documents that a worker scores before it writes them


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUTS",
            help="Files or quoted globs with texts like those to be scored; the first ones are looked at.",
            show_default=False,
        ),
    ],
    documents: Annotated[float, typer.Option(min=1, help="How many there are to score.")] = 1e6,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    models: Annotated[int, typer.Option(min=1, help="How many of that size score every document.")] = 1,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a window; by default all that the model can take.")
    ] = None,
    precision: Annotated[str, typer.Option(help="model or int8, as for score.")] = "model",
    sample: Annotated[int, typer.Option(min=1, help="Documents to look at.")] = 200,
    workers: Annotated[int, typer.Option(min=1, help="Like this machine with its threads, at once.")] = 1,
    failures: Annotated[float, typer.Option(min=0, help="Of a worker in an hour, on average.")] = 0.01,
    link: Annotated[float, typer.Option(help="GB a second from the store to all workers.")] = 1.25,
    seed: Annotated[int, typer.Option(help="Of the simulated failures.")] = 0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of a worker; by default all.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Estimate how long it takes to score texts, here and on many machines like this one.

    Times the parts of the model on random numbers for some seconds, counts the tokens of a sample, and
    simulates workers that take parts of a thousand documents and die now and then. Nothing is scored.

    \b
    Example:
        pyfastlm estimate 'corpus/*.jsonl.gz' --documents 1e9 --models 90 --workers 10000 --threads 1
    """
    if threads is not None:
        os.environ[ENVIRONMENT] = str(threads)
        import torch

        torch.set_num_threads(threads)
    from pyfastlm.errors import InputError
    from pyfastlm.lm import cost, files, load

    lm = load(model)
    texts = files.first_texts(inputs, sample, text_key=text_key)
    if not texts:
        raise InputError("inputs: expected at least one document that can be scored")
    seen = cost.text_work(lm, texts, max_length=max_length)
    work = cost.model_work(lm.model)
    rates = cost.measure_rates(lm.model.config, work, precision=precision)
    total = cost.predict(work, rates, seen.of(documents))
    parts = max(1, round(documents / PART)) * models
    part = seen.of(documents * models / parts)
    outcome = cost.simulate(
        cost.Fleet(workers, failures=failures, link=link * 1e9),
        parts,
        cost.predict(work, rates, part).seconds / rates.threads,
        part_bytes=part.bytes,
        weight_bytes=work.weight_bytes,
        spread=0.1,
        seed=seed,
    )
    if json:
        from pyfastlm.cli import show

        rest = {"tokens_per_second": total.tokens_per_second, "models": models, "workers": workers}
        show.as_json({"sample": asdict(seen), "one_model": asdict(total), "fleet": asdict(outcome)} | rest)
    else:
        _as_table(seen, total, outcome, models, workers, documents)


def _as_table(
    seen: "TextWork", total: "Prediction", outcome: "Outcome", models: int, workers: int, documents: float
) -> None:
    from pyfastlm.cli import show

    parts = {name: seconds for name, seconds in asdict(total).items() if name != "tokens" and seconds}
    show.table(
        f"{documents:,.0f} documents of {seen.bytes / seen.documents:,.0f} bytes by one model",
        ["part", "processor hours", "share"],
        [[name, f"{of / 3600:,.2f}", f"{of / total.seconds:.0%}"] for name, of in parts.items()],
        ["all", f"{total.seconds / 3600:,.2f}", f"{total.tokens_per_second:,.0f} tokens/s"],
    )
    print(
        f"{models:,} models on {workers:,} workers: {outcome.seconds / 3600:,.2f} hours, "
        f"{outcome.busy:.0%} of it at work, {outcome.lost:.2%} lost to {outcome.failures:,} failures; "
        f"{outcome.read / 1e12:,.3f} TB read; bound by the {outcome.bound}"
    )
