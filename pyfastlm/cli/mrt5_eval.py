"""``pyfastlm mrt5 eval``: bits per byte and deletion on texts, or answers to a task."""

from dataclasses import asdict
from typing import Annotated

import typer

from pyfastlm.errors import InputError

MODES = "soft,hard,hard+bias,random,fixed"


def command(
    model: Annotated[
        str,
        typer.Argument(help="Directory of a model or of a training run, or a hub id.", show_default=False),
    ],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Texts: LANGUAGE=FILE, or FILE named by its language. With --task: one .jsonl or .tsv.",
            show_default=False,
        ),
    ],
    task: Annotated[str, typer.Option(help="spans (span corruption), or a task: xnli, qa, pairs.")] = "spans",
    modes: Annotated[
        str,
        typer.Option(
            help=f"Of spans: any of full,{MODES}; of a model that pools full, boundary, convolution. By "
            "default all that the model can do."
        ),
    ] = "",
    control: Annotated[str | None, typer.Option(help="Of spans: a model without a gate beside it.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples run at once.")] = 8,
    input_length: Annotated[int, typer.Option(min=3, help="Ids of an input, EOS included.")] = 1024,
    mean_span: Annotated[float, typer.Option(help="Mean length of a replaced span, in bytes.")] = 20.0,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    seed: Annotated[int, typer.Option(min=0, help="Of the spans and of random deletion.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Evaluate: soft and hard deletion beside random and fixed deletion of as much, or what pools.

    \b
    Examples:
        pyfastlm mrt5 eval run de=german.txt fr=french.txt --control run-without-gate
        pyfastlm mrt5 eval run xnli.dev.tsv --task xnli
    """
    from pyfastlm.cli import show
    from pyfastlm.mrt5 import answers, report
    from pyfastlm.mrt5.corruption import SpanCorruption
    from pyfastlm.mrt5.evaluation import evaluate
    from pyfastlm.mrt5.kinds import POOLING
    from pyfastlm.mrt5.loading import load_model
    from pyfastlm.mrt5.readers import READERS
    from pyfastlm.mrt5.texts import read_texts

    if task not in ("spans", *READERS):
        raise InputError(f"task: expected one of spans, {', '.join(READERS)}, got {task!r}")
    if task != "spans":
        if len(files) > 1:
            raise InputError(f"files: expected one file with --task {task}, got {len(files)}")
        questions = READERS[task](files[0])
        found = answers.evaluate_answers(load_model(model), questions, batch_size=batch_size, progress=True)
        if json:
            show.as_json({"task": task, "model": model, **asdict(found)})
        else:
            title, columns, cells = f"{task}, {model}", list(answers.COLUMNS), found.cells()
            show.table(title, columns, cells[1:], cells[0])
        return
    corruption = SpanCorruption(input_length=input_length, mean_span_length=mean_span, seed=seed)
    texts = read_texts(files, text_key=text_key)  # mistakes in paths show before a model is loaded
    loaded = load_model(model)
    kind = loaded.config.deletion_type
    usual = kind if kind in POOLING else "full" if kind is None else MODES
    wanted = [mode.strip() for mode in (modes or usual).split(",")]
    beside = None if control is None else load_model(control)
    result = evaluate(
        loaded,
        corruption.data(texts),
        modes=wanted,
        control=beside,
        batch_size=batch_size,
        seed=seed,
        progress=True,
    )
    if json:
        show.as_json({"model": model, "control": control, **asdict(result)})
    else:
        show.table(f"Span corruption, {model}", list(report.COLUMNS), result.cells())
