"""``pyfastlm onion probe``: what can be read from a model's state, and by which reader."""

from typing import Annotated

import typer

from pyfastlm.cli.onion_options import Held, Json, Model, Seed, Sequences, task_of, trained


def command(
    model: Model,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            help="linear, mlp, peeling, decoder or silent decoder; may be repeated.", show_default="all"
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of AdamW, each.")] = 4000,
    lr: Annotated[float, typer.Option(help="Learning rate at its highest.")] = 3e-3,
    n_train: Sequences = 1_000_000,
    n_valid: Held = 5000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train readers of a frozen model's last state, and see how much of new sequences each gets.

    \b
    Example:
        pyfastlm onion probe small --probe linear --probe peeling
    """
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.onion.probes import PROBES, fit_probe

    names = probe or list(PROBES)
    if unknown := [name for name in names if name not in PROBES]:
        raise InputError(f"probe: expected one of {', '.join(PROBES)}; got {unknown[0]!r}")
    copier = trained(model)
    task = task_of(copier, n_train, n_valid)
    found = {
        name: fit_probe(
            PROBES[name](copier.config, seed),
            copier,
            task,
            steps=steps,
            learning_rate=lr,
            cooldown=0.3,
            seed=seed,
            evaluate_every=max(1, steps // 20),
            progress=True,
        )
        for name in names
    }
    if json:
        show.as_json(
            {
                name: {
                    "exact": f.scores.taught.share,
                    "free": f.scores.free.share,
                    "tokens": f.scores.tokens.share,
                    "by_place": [share.share for share in f.scores.by_place],
                    "converged": f.converged,
                    "curve": [{"step": p.step, "loss": p.loss, "accuracy": p.accuracy} for p in f.curve],
                }
                for name, f in found.items()
            }
        )
        return
    show.table(
        f"Readers of the last state, {steps:,} steps each",
        ["reader", "whole sequences right", "tokens", *(str(p + 1) for p in range(task.max_len)), "at rest"],
        [
            [
                name,
                f"{f.scores.free.share:.4f}",
                f"{f.scores.tokens.share:.3f}",
                *(f"{share.share:.2f}" for share in f.scores.by_place),
                "yes" if f.converged else "no",
            ]
            for name, f in found.items()
        ],
    )
