"""``pyfastlm memorize trace``: which prompt tokens and layers a continuation depends on."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyfastlm.cli.memorize_sequences import Json, Model, Prefix, Seed, Sequences, chosen, encoded

if TYPE_CHECKING:
    from pyfastlm.memorization import Trace


def command(
    sequences: Sequences,
    model: Model,
    id: Annotated[
        str | None, typer.Option(help="group/key of the sequence.", show_default="the first")
    ] = None,
    prefix: Prefix = 32,
    horizon: Annotated[int, typer.Option(min=1, help="Tokens after the prompt that are watched.")] = 32,
    corrupted: Annotated[str, typer.Option(help="The other prompts: shuffled, or resampled.")] = "shuffled",
    draws: Annotated[int, typer.Option(min=1, help="How many other prompts; the mean counts.")] = 3,
    threshold: Annotated[
        float, typer.Option(help="Drop of the probability above which a token counts as dependent.")
    ] = 0.1,
    control: Annotated[
        str | None,
        typer.Option(
            help="group/key of a sequence that is not memorised: its beginning, and what the model writes "
            "after it, are traced for comparison.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw heat maps: .png, .svg or .pdf.")] = None,
    token: Annotated[
        int | None, typer.Option(min=0, help="Draw only this generated token, from 0.", show_default="all")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Interventions of one forward pass.")] = 64,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find what each token of a continuation depends on, by exchanging states with other prompts.

    Each state of the residual stream (a layer, a prompt position) is replaced by that of a run with another
    prompt; the drop of the true token's probability is shown for the state that matters most. The tokens
    before a watched one are always the true ones.

    \b
    Example:
        pyfastlm memorize trace quotes.json -m run/checkpoint-000002000 --id quotes/1 --picture trace.svg
    """
    from pyfastlm.lm import load
    from pyfastlm.lm.files.pictures import check_picture
    from pyfastlm.memorization import read_sequences, trace
    from pyfastlm.memorization.tracing.picture import check_token, save_picture
    from pyfastlm.memorization.tracing.rows import token_rows

    read = read_sequences(sequences)  # mistakes show before a model is loaded
    [one] = chosen(read, [id] if id else [read[0].id], "id")
    other = None if control is None else chosen(read, [control], "control")[0]
    if picture is not None:
        check_picture(picture, "memorization")
        check_token(token, horizon)
    lm = load(model)
    found = trace(
        lm,
        encoded(lm, one, prefix + horizon, "prefix"),
        prefix,
        horizon,
        corrupted=corrupted,
        draws=draws,
        threshold=threshold,
        control=None if other is None else encoded(lm, other, prefix, "control"),
        batch_size=batch_size,
        seed=seed,
        progress=True,
    )
    if picture is not None:
        save_picture(found, picture, lm.tokenizer, token=token)
    if json:
        from pyfastlm.cli import show

        rows = [row._asdict() for row in token_rows(found, lm.tokenizer)]
        show.as_json({"sequence": one.id, "tokens": rows} | _numbers(found))
    else:
        _as_table(found, lm.tokenizer, one.id, picture)


def _numbers(found: "Trace | None") -> dict[str, Any]:
    """Everything in a trace."""
    if found is None:
        return {}
    plain = {one.name: getattr(found, one.name) for one in fields(found) if one.name != "control"}
    made = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in plain.items()}
    return {"trace": made, "control": _numbers(found.control).get("trace")}


def _as_table(found: "Trace", tokenizer: Any, name: str, picture: Path | None) -> None:
    from pyfastlm.cli import show
    from pyfastlm.memorization.tracing.picture import shown
    from pyfastlm.memorization.tracing.rows import token_rows

    rows = [
        [
            shown(row.text),
            f"{row.probability:.3f}{'' if row.greedy else ' (not first)'}",
            f"{row.total:.3f}",
            f"{row.peak:.3f}",
            f"{row.layer}",
            f"{row.position} {shown(row.trigger)}",
            "yes" if row.depends else "no",
        ]
        for row in token_rows(found, tokenizer)
    ]
    columns = [
        "token",
        "probability",
        "drop, whole prompt",
        "drop, one state",
        "layer",
        "position",
        "depends",
    ]
    show.table(f"{name}: what {found.horizon} tokens after {found.prefix_length} depend on", columns, rows)
    free = found.horizon - int(found.depends.sum())
    print(
        f"{free} of {found.horizon} tokens do not depend on the prompt (no drop above {found.threshold:g}); "
        f"mean of {len(found.corrupted)} other prompts"
    )
    if (usual := found.control) is not None:
        print(
            f"control: {usual.horizon - int(usual.depends.sum())} of {usual.horizon} do not; "
            f"mean largest drop {usual.peak.mean():.3f}, here {found.peak.mean():.3f}"
        )
    if picture is not None:
        print(f"picture: {picture}")
