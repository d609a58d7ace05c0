"""``pyfastlm icl fit``: laws side by side on curves from a file."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pyfastlm.cli.icl_options import Json, Seed, Threads

if TYPE_CHECKING:
    from pyfastlm.icl.comparison import Score
    from pyfastlm.icl.laws import LawName
    from pyfastlm.icl.problem import Loss


def command(
    curves: Annotated[
        str,
        typer.Argument(
            help="CSV file with the columns shots (from 0), prob or nll, and maybe hmm (the task), "
            "sft_amount, k, layers.",
            show_default=False,
        ),
    ],
    law: Annotated[
        list[str] | None, typer.Option(help="One of the laws; may be repeated.", show_default="all six")
    ] = None,
    fraction: Annotated[
        float, typer.Option(help="Fit the shots up to this share of the largest, and judge the others.")
    ] = 1.0,
    starts: Annotated[int, typer.Option(min=1, help="Places that each fit begins at.")] = 8,
    loss: Annotated[str, typer.Option(help="mse_prob, mse, mse_log, huber, huber_log.")] = "mse_prob",
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the first set's curves: .png, .svg or .pdf.", show_default=False),
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Fit laws to curves; each row says how far off a law is, with how many numbers.

    nrmse is the root mean square error of probabilities over their mean. Two baselines need no law: the last
    shot that was fitted, and the mean. "agree" counts the starts that came to the same loss. AIC
    (with --json BIC too) is of what was fitted, by Gaussian residuals as the loss has them.

    \b
    Example:
        pyfastlm icl fit curves.csv --fraction 0.1 --picture curves.png
    """
    from pyfastlm.cli import show
    from pyfastlm.icl import compare
    from pyfastlm.icl.files.curve_tables import read_curves
    from pyfastlm.icl.files.pictures import draw
    from pyfastlm.icl.laws import LAW_NAMES
    from pyfastlm.lm.files.pictures import check_picture

    if picture is not None:
        check_picture(picture, "icl")
    given = read_curves(curves)
    scores = compare(
        [(each.shots, each.nll) for each in given],
        laws=cast("list[LawName]", law) or LAW_NAMES,  # names are checked there
        fractions=(fraction,),
        starts=starts,
        loss=cast("Loss", loss),
        seed=seed,
        threads=threads,
    ).scores
    ends = [float(each.shots[each.shots <= fraction * each.shots.max()].max()) for each in given]
    if picture is not None:
        first = given[0]
        draw(
            first.shots,
            first.nll.reshape(-1, len(first.shots)),
            [f"{group} {task}".strip() for group in first.groups or ("",) for task in first.tasks],
            {score.law: score.fit for score in scores if score.set == 0 and score.fit},
            picture,
            fitted=ends[0] if fraction < 1 else None,
        )
    if json:
        show.as_json(
            {
                "curves": curves,
                "fraction": fraction,
                "scores": [_as_dict(score, given[score.set].name) for score in scores],
            }
        )
        return
    for n, each in enumerate(given):
        said = "all shots" if fraction == 1 else f"fitted up to {ends[n]:g} of {each.shots.max():g} shots"
        show.table(
            f"{each.name}: {each.nll.size // len(each.shots)} curves, {said}",
            ["law", "parameters", "nrmse", "in nats", "AIC", "agree", "doubts"],
            [
                [
                    score.law,
                    str(score.n_params),
                    f"{score.nrmse:.4f}",
                    f"{score.nrmse_nll:.4f}",
                    f"{score.fit.aic:.1f}" if score.fit else "",
                    str(score.fit.reached) if score.fit else "",
                    str(len(score.fit.warnings)) if score.fit else "",
                ]
                for score in scores
                if score.set == n
            ],
        )


def _as_dict(score: "Score", name: str) -> dict[str, Any]:
    found = {
        "set": name,
        "law": score.law,
        "nrmse": score.nrmse,
        "nrmse_nll": score.nrmse_nll,
        "n_params": score.n_params,
    }
    if fit := score.fit:
        params = {key: value.tolist() for key, value in asdict(fit.params).items()}
        found |= {"loss": fit.loss, "aic": fit.aic, "bic": fit.bic, "params": params}
        found |= {"reached": fit.reached, "warnings": fit.warnings}
    return found
