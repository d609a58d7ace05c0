"""``pyfastlm icl curve``: what a model makes of more and more examples."""

from typing import Annotated

import typer

from pyfastlm.cli.icl_options import CurvesOut, Json, Seed

SHOWN = (1, 2, 3, 5, 9, 17, 33, 65, 129)


def command(
    tasks: Annotated[
        list[str],
        typer.Argument(
            help="JSON lines of examples, {input, output} each; a file for each task.", show_default=False
        ),
    ],
    output: CurvesOut,
    model: Annotated[str, typer.Option(help="Hub id, directory, .gguf file, or smollm2.")] = "smollm2",
    shots: Annotated[int, typer.Option(min=1, help="Examples in a prompt.")] = 64,
    permutations: Annotated[int, typer.Option(min=1, help="Prompts.")] = 20,
    shuffled_labels: Annotated[
        bool, typer.Option("--shuffled-labels", help="A control: answers dealt anew among the examples.")
    ] = False,
    input_key: Annotated[str, typer.Option(help="Where a question is in a line.")] = "input",
    output_key: Annotated[str, typer.Option(help="Where its answer is.")] = "output",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure how likely right answers become with examples before them.

    \b
    Example:
        pyfastlm icl curve flowers.jsonl --shots 64 -o curves.csv
    """
    from pyfastlm.cli import show
    from pyfastlm.icl import icl_curve, read_task
    from pyfastlm.icl.files.curve_tables import write_curves
    from pyfastlm.lm import Scorer, load

    if not output.parent.is_dir():
        raise typer.BadParameter(f"no such directory: {str(output.parent)!r}", param_hint="--output")
    given = [read_task(path, input_key=input_key, output_key=output_key) for path in tasks]
    scorer = Scorer(load(model))
    found = [
        icl_curve(
            scorer,
            task,
            shots=shots,
            permutations=permutations,
            shuffled_labels=shuffled_labels,
            seed=seed,
            progress=True,
        )
        for task in given
    ]
    write_curves(
        (
            (curve.task, n, float(p))
            for curve in found
            for row in curve.p
            for n, p in enumerate(row, 1)
        ),
        output,
    )  # fmt: skip
    if json:
        show.as_json(
            {
                "model": model,
                "curves": [
                    {
                        "task": curve.task,
                        "shots": curve.shots.tolist(),
                        "nll": curve.nll.tolist(),
                        "accuracy": None if curve.accuracy is None else curve.accuracy.tolist(),
                    }
                    for curve in found
                ],
            }
        )
        return
    places = [n for n in SHOWN if n <= shots]
    show.table(
        f"Probability of the right answer, {permutations} prompts of {shots} examples",
        ["task", *(f"example {n}" for n in places)],
        [[curve.task, *(f"{curve.p[:, n - 1].mean():.3f}" for n in places)] for curve in found],
    )
