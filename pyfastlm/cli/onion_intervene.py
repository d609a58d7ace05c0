"""``pyfastlm onion intervene``: learn an edit of a model's state that repairs sequences."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from pyfastlm.cli.onion_options import Held, Json, Model, Seed, Sequences, task_of, trained


def command(
    model: Model,
    kind: Annotated[
        str, typer.Option(help="onion, onion without scale, linear unigram or linear bigram.")
    ] = "onion",
    lengths: Annotated[str, typer.Option(help="Sequences to learn from: own, all or max.")] = "own",
    edits: Annotated[str, typer.Option(help="And their corruption: own, one or half.")] = "own",
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW.")] = 8000,
    lr: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 5e-3,
    n_train: Sequences = 1_000_000,
    n_valid: Held = 5000,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the intervention.", show_default=False),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Learn to repair the state of corrupted sequences, and score it under the same conditions as all others.

    "own" is the setting of the paper's code, another one for each intervention.

    \b
    Example:
        pyfastlm onion intervene small --kind "linear unigram"
    """
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.onion import evaluate
    from pyfastlm.onion.grid import COMMON, KINDS
    from pyfastlm.onion.interventions import fit_intervention, save_intervention

    if kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}; got {kind!r}")
    copier = trained(model)
    task = task_of(copier, n_train, n_valid)
    fitted = fit_intervention(
        KINDS[kind].make(copier.config, seed),
        copier,
        task,
        steps=steps,
        learning_rate=lr,
        cooldown=0.3,
        mask_rate=5.0,
        lengths=cast("Any", lengths),  # names are checked there
        edits=cast("Any", edits),
        seed=seed,
        evaluate_every=max(1, steps // 20),
        progress=True,
    )
    if output:
        save_intervention(fitted.intervention, output)
    reports = [evaluate(copier, task, fitted.intervention, lengths=c.lengths, edits=c.edits) for c in COMMON]
    if json:
        show.as_json(
            {
                "kind": kind,
                "lengths": fitted.lengths,
                "edits": fitted.edits,
                "converged": fitted.converged,
                "fall": fitted.fall,
                "curve": [{"step": p.step, "loss": p.loss, "accuracy": p.accuracy} for p in fitted.curve],
                "scores": [
                    {
                        "lengths": r.lengths,
                        "edits": r.edits,
                        "exact": r.scores.taught.share,
                        "interval": r.scores.taught.interval,
                        "identity": r.identity.taught.share if r.identity else None,
                        "n": r.n,
                    }
                    for r in reports
                ],
            }
        )
        return
    rest = "at rest" if fitted.converged else "still falling"
    show.table(
        f"{kind}, learned on {fitted.lengths} lengths and {fitted.edits}: {steps:,} steps in "
        f"{fitted.seconds:.0f} s, loss {fitted.curve[-1].loss:.3f}, {rest}",
        ["condition", "whole sequences right", "95 %", "unrepaired", "sequences"],
        [
            [
                str(condition),
                f"{r.scores.taught.share:.4f}",
                "{:.3f} to {:.3f}".format(*r.scores.taught.interval),
                f"{r.identity.taught.share:.4f}" if r.identity else "",
                f"{r.n:,}",
            ]
            for condition, r in zip(COMMON, reports, strict=True)
        ],
    )
