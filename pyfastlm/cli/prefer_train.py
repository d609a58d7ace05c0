"""``pyfastlm prefer train``: a model that learns from pairs, and what became of others."""

from pathlib import Path
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
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Directory for the run and its model.", show_default=False),
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    loss: Annotated[str, typer.Option(help="apo_zero, apo_down, apo_unpaired, dpo or ipo.")] = "apo_zero",
    beta: Annotated[float, typer.Option(help="How much a log ratio counts.")] = 0.1,
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs of a step.")] = 8,
    pairs_at_once: Annotated[
        int | None, typer.Option(help="Of a step; fewer need less memory.", show_default="all")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate at its highest.", show_default="1e-4, --full: 1e-6")
    ] = None,
    warmup: Annotated[int, typer.Option(min=0, help="Steps in which it rises.")] = 0,
    lora_rank: Annotated[int, typer.Option(min=1, help="Of the adapters.")] = 16,
    full: Annotated[bool, typer.Option("--full", help="Train all weights, without adapters.")] = False,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Run blocks again in the backward pass, to save memory.")
    ] = False,
    max_length: Annotated[int, typer.Option(min=2, help="Tokens of prompt and answer.")] = 1024,
    held_out: Annotated[float, typer.Option(help="Share of the prompts that are not learnt from.")] = 0.2,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Text that has nothing to do with the pairs, to measure the damage on: .txt (one text a "
            "line), .jsonl, .parquet, also .gz, .zst. May be given several times.",
            show_default=False,
        ),
    ] = None,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of it.")] = "text",
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="Exchange the answers of half of the pairs: a control.")
    ] = False,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Do not write the model, only log, checkpoint and result.")
    ] = False,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove an earlier run there.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of what is held out, the order, and adapters.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a model on pairs, and score pairs held out before and after. A run that was stopped goes on.

    \b
    Examples:
        pyfastlm prefer train pairs.jsonl -o zero --loss apo_zero --text other.txt
        pyfastlm prefer train pairs.jsonl -o control --loss apo_zero --shuffled
        pyfastlm prefer report zero control -o report
    """
    from pyfastlm.cli import show, texts
    from pyfastlm.preference.files import read_pairs
    from pyfastlm.preference.options import TrainingOptions
    from pyfastlm.preference.runs import run
    from pyfastlm.preference.runs.report import tables

    options = TrainingOptions(
        steps,
        loss,
        beta,
        batch_size,
        batch_size if pairs_at_once is None else pairs_at_once,
        None if full else lora_rank,
        lr if lr is not None else (1e-6 if full else 1e-4),
        warmup,
        checkpointing=checkpointing,
        max_length=max_length,
        seed=seed,
        checkpoint_every=checkpoint_every,
    )
    given = read_pairs(pairs)  # mistakes show before a model is loaded
    found = run(
        model,
        given,
        options,
        output,
        share=held_out,
        control=shuffled,
        texts=texts.read(text, text_key, "text"),
        save=not no_model,
        resume=not fresh,
        progress=True,
    )
    if json:
        from dataclasses import asdict

        show.as_json({"output": str(output)} | asdict(found))
        return
    runs = {str(output): found}
    for table in (tables.held_out(runs), tables.learnt(runs)):
        show.table(table.title, table.columns, table.rows)
    print(tables.LEGEND)
    for said in tables.doubts(runs):
        print(said)
    print(f"{steps:,} steps in {found.seconds:,.0f} s" + ("" if no_model else f"; model: {output / 'model'}"))
