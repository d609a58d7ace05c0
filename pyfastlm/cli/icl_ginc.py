"""``pyfastlm icl ginc``: curves on GINC, of the best learner there can be or of a model."""

from typing import Annotated, Any

import typer

from pyfastlm.cli.icl_options import CurvesOut, Json, Seed

SHOWN = (1, 2, 3, 5, 9, 17, 33, 65, 129)


def command(
    output: CurvesOut,
    k: Annotated[int, typer.Option("-k", min=2, help="Words of a shot.")] = 3,
    shots: Annotated[
        int | None, typer.Option(min=1, help="Of a prompt.", show_default="1,024 tokens")
    ] = None,
    prompts: Annotated[int, typer.Option(min=1, help="Of each model.")] = 200,
    hmms: Annotated[int, typer.Option(min=1, help="Models of the world.")] = 5,
    smoothing: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of steps that go anywhere, as exact Bayes has it: shots jump as no document does.",
        ),
    ] = 0.02,
    model: Annotated[
        str | None,
        typer.Option(
            help="A checkpoint of icl train, on whose world it was trained: measure it instead.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write what exact Bayes over the hidden Markov models, or a model, predicts after more and more shots.

    \b
    Example:
        pyfastlm icl ginc -k 3 --shots 64 -o ginc.csv
        pyfastlm icl fit ginc.csv
    """

    from pyfastlm.cli import show
    from pyfastlm.icl import GINC, beliefs, ginc_curves
    from pyfastlm.icl import prompts as drawn
    from pyfastlm.icl.files.curve_tables import write_curves
    from pyfastlm.lm.progress import watched

    if not output.parent.is_dir():
        raise typer.BadParameter(f"no such directory: {str(output.parent)!r}", param_hint="--output")
    world = GINC.make(hmms)
    curves: list[tuple[Any, Any]] = []  # of each model, two [prompts, shots]
    if model is None:
        tables, who = ("Probability of the likeliest word", "Belief in the right model"), "exact Bayes"
        names = ("prob", "posterior")
        for hmm in watched(range(hmms), hmms, "models", True):
            given = drawn(world, hmm, k, shots=shots, count=prompts, seed=seed)
            found = beliefs(world, given.tokens, smoothing=smoothing)
            curves.append((found.answers(given), found.models[:, given.places, hmm]))
    else:
        tables, who = ("Probability of the likeliest word", "It is the likeliest of the model"), model
        names = ("prob", "acc")
        measured = ginc_curves(model, world, k=k, shots=shots, count=prompts, seed=seed, progress=True)
        curves = [(each.p, each.right) for each in measured.answers]
    write_curves(
        (
            (str(hmm), n, float(v))
            for hmm, (p, _) in enumerate(curves)
            for row in p
            for n, v in enumerate(row, 1)
        ),
        output,
    )
    if json:
        show.as_json(
            {
                "k": k,
                "curves": [
                    {
                        "hmm": hmm,
                        **{name: v.mean(axis=0).tolist() for name, v in zip(names, each, strict=True)},
                    }
                    for hmm, each in enumerate(curves)
                ],
            }
        )
        return
    places = [n for n in SHOWN if n <= curves[0][0].shape[1]]
    for what, title in enumerate(tables):
        show.table(
            f"{title}, {who}, {prompts} prompts of each model",
            ["model", *(f"shot {n}" for n in places)],
            [
                [str(hmm), *(f"{each[what][:, n - 1].mean():.3f}" for n in places)]
                for hmm, each in enumerate(curves)
            ],
        )
