"""``pyfastlm prefer suggest``: which anchored loss fits a model and its pairs."""

from typing import Annotated

import typer


def command(
    pairs: Annotated[
        str,
        typer.Argument(
            help="JSON lines {prompt, chosen, rejected}, texts or messages; also .gz, .zst.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    max_tokens: Annotated[int, typer.Option(min=1, help="Of an answer that are compared.")] = 64,
    limit: Annotated[int | None, typer.Option(min=2, help="How many pairs, from the first on.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the answers drawn, and of the interval.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say which anchored loss fits, by what the model finds likelier: the chosen answers, or its own.

    That is no measure of quality.

    \b
    Example:
        pyfastlm prefer suggest pairs.jsonl --model smollm2 --limit 100
    """
    from dataclasses import asdict

    from pyfastlm.cli import show
    from pyfastlm.preference.files import read_pairs
    from pyfastlm.preference.suggesting import suggest_objective

    given = read_pairs(pairs)[:limit]
    found = suggest_objective(model, given, max_tokens=max_tokens, seed=seed, progress=True)
    if json:
        show.as_json(asdict(found))
        return
    rows = [[name, f"{getattr(found, name):.3f}"] for name in ("chosen", "rejected", "own")]
    show.table(f"{found.prompts:,} prompts", ["answers", "nats a token"], rows)
    print(f"{found.objective}: {found.reason}")
