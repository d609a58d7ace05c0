"""``pyfastlm memorize inject``: plant sequences into continued training, and see what is remembered."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyfastlm.cli.memorize_sequences import Horizon, numbers
from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.memorization import Continued, Injection
    from pyfastlm.memorization.injection.measuring import Level, Measured


def command(
    sequences: Annotated[
        Path,
        typer.Argument(
            help="JSON file {group: {key: text}, group_transform: name} of what to plant.",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            "-d",
            help="Training text: .txt (one text a line), .jsonl, .parquet, also .gz, .zst; or one .npy array "
            "of token ids, [rows, window + 1 or more]. May be given several times.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Directory, hub id, or .gguf file to go on with.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Directory for checkpoints and the log.", show_default=False)
    ],
    revision: Annotated[
        str | None, typer.Option(help="Of a model on the hub, as step80000 of Pythia.")
    ] = None,
    optimizer_state: Annotated[
        Path | None, typer.Option(help="Checkpoint whose optimizer.safetensors to go on with.")
    ] = None,
    repetitions: Annotated[
        str, typer.Option(help="How often; several numbers, with commas, are dealt out over the sequences.")
    ] = "40",
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Examples between two repetitions; otherwise spread evenly over the run.",
            show_default=False,
        ),
    ] = None,
    transform: Annotated[
        str, typer.Option(help="original, or shuffled: the tokens of each sequence in another order.")
    ] = "original",
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 1000,
    batch_size: Annotated[int, typer.Option(min=1, help="Examples of a step.")] = 32,
    window: Annotated[int, typer.Option(min=1, help="Tokens that the model reads of an example.")] = 256,
    lr: Annotated[float, typer.Option(help="Learning rate, constant after the warm-up.")] = 1e-4,
    warmup: Annotated[int, typer.Option(min=0, help="Steps in which it rises.")] = 0,
    grid: Annotated[
        str,
        typer.Option(help="Steps whose checkpoints are kept and measured, with commas.", show_default=False),
    ] = "",
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    held_out: Annotated[
        int, typer.Option(min=0, help="Last examples of the data that are not trained on, for validation.")
    ] = 0,
    prefixes: Annotated[str, typer.Option(help="Lengths of prompts in tokens, with commas.")] = "8,16,32,64",
    horizon: Horizon = 64,
    twin: Annotated[bool, typer.Option("--twin", help="Plant nothing: the control of the same run.")] = False,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    seed: Annotated[int, typer.Option(min=0, help="Of all randomness.")] = 0,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between lines of the log.")] = 100,
    resume: Annotated[
        bool, typer.Option(help="Go on with an unfinished run; otherwise start afresh and remove it.")
    ] = True,
    picture: Annotated[
        Path | None, typer.Option(help="Draw length against repetitions: .png, .svg or .pdf.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with a row for every prompt.")] = False,
) -> None:
    """Plant sequences into the continued training of a model, and measure what it remembers word for word.

    What each batch holds is counted. Killed at any moment, the same command goes on where it was. With
    --twin, the same sequences are measured after the same training without them.

    \b
    Example:
        pyfastlm memorize inject quotes.json -d text.jsonl -m base -o run --repetitions 0,1,10,40 --steps 2000
    """
    from pyfastlm.lm import load
    from pyfastlm.lm.files.pictures import check_picture
    from pyfastlm.memorization import TokenStream, continue_pretraining, read_sequences
    from pyfastlm.memorization.injection import measuring
    from pyfastlm.memorization.metric import asking

    if picture is not None:
        check_picture(picture, "memorization")
    counts, kept, lengths = (
        numbers(name, given)
        for name, given in (("repetitions", repetitions), ("grid", grid), ("prefixes", prefixes))
    )
    if transform not in ("original", "shuffled"):
        raise InputError(f"transform: expected original or shuffled, got {transform!r}")
    read = read_sequences(sequences)  # mistakes show before a model is loaded, and long before it is trained
    asking.lengths(lengths, horizon)
    lm = load(model, revision=revision)
    asking.refuse_long(lm, min(max(lengths) + horizon, window + 1))
    stream = TokenStream.read(data, lm.tokenizer, window, text_key=text_key)
    if held_out >= len(stream):
        raise InputError(
            f"held-out: expected fewer than the {len(stream)} examples there are, got {held_out}"
        )
    evaluate = stream.part(len(stream) - held_out, len(stream)) if held_out else None
    names = {one.id: one for one in read}
    planned = _plans([*names], counts, every, steps * batch_size, seed)
    planted = [
        _injection(one.text, one.id, one.transform, () if twin else planned[one.id], transform, seed)
        for one in read
    ]
    found = continue_pretraining(
        lm,
        stream.part(0, len(stream) - held_out),
        planted,
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        optimizer_state=optimizer_state,
        warmup=warmup,
        evaluate=evaluate,
        directory=out,
        resume=resume,
        checkpoint_every=checkpoint_every,
        grid=kept,
        log_every=log_every,
        seed=seed,
        progress=True,
    )
    measured = measuring.measure(found, lm, prefix_lengths=lengths, horizon=horizon, progress=True)
    levels = measuring.levels(found, measured)
    if picture is not None:
        _draw(levels, picture)
    _as_json(found, levels, measured) if json else _as_table(found, levels)


def _plans(
    names: Sequence[str], counts: Sequence[int], every: int | None, examples: int, seed: int
) -> dict[str, tuple[int, ...]]:
    """Which examples each sequence replaces."""
    from pyfastlm.memorization import scheduled

    if not counts:
        raise InputError("repetitions: expected at least one number, got none")
    dealt = {name: counts[number % len(counts)] for number, name in enumerate(names)}
    if every is None:
        return scheduled(dealt, examples=examples, seed=seed)
    if len(names) > every:
        raise InputError(
            f"every: expected at least the number of sequences, {len(names)}, got {every}: "
            "each begins one example after the one before"
        )
    return {
        name: tuple(first + every * number for number in range(dealt[name]))
        for first, name in enumerate(names)
    }


def _injection(
    text: str, name: str, given: str, examples: tuple[int, ...], transform: str, seed: int
) -> "Injection":
    """A sequence of which the file says that something was done to it is planted as it stands."""
    from pyfastlm.memorization import Injection

    if transform == "original":
        return Injection(name, text, examples, "original" if given == "original" else "given", seed)
    return Injection(name, text, examples, "shuffled", seed)


def _draw(levels: Sequence["Level"], path: Path) -> None:
    from pyfastlm.memorization.injection.picture import Curve, draw

    curves = []
    for step in sorted({level.step for level in levels}):
        for transform in sorted({level.transform for level in levels}):
            own = [level for level in levels if (level.step, level.transform) == (step, transform)]
            curves.append(
                Curve(
                    f"step {step}, {transform}",
                    tuple(level.repetitions for level in own),
                    tuple(level.longest for level in own),
                    dashed=transform != "original",
                )
            )
    draw(curves, path)


def _summary(found: "Continued") -> dict[str, Any]:
    return {
        "steps": found.steps,
        "resumed_step": found.resumed_step,
        "seconds": found.seconds,
        "planted": sum(one.repetitions for one in found.planted),
        "share": found.share,
        "densest": found.densest,
        "checkpoints": [str(path) for path in found.checkpoints],
    }


def _as_json(found: "Continued", levels: Sequence["Level"], measured: Sequence["Measured"]) -> None:
    from pyfastlm.cli import show

    show.as_json(
        _summary(found)
        | {
            "log": [asdict(entry) for entry in found.log],
            "levels": [level._asdict() for level in levels],
            "rows": [row._asdict() for one in measured for row in one.rows()],
        }
    )


def _as_table(found: "Continued", levels: Sequence["Level"]) -> None:
    from pyfastlm.cli import show

    rows = [
        [
            f"{level.step:,}",
            level.transform,
            f"{level.repetitions:,}",
            f"{level.sequences:,}",
            f"{level.longest:.1f}",
            f"{level.mean:.2f}",
            f"{level.long:.1%}",
            f"{level.at_limit:.1%}",
        ]
        for level in levels
    ]
    columns = ["step", "transform", "repetitions", "sequences", "longest", "mean", "16 or more", "at limit"]
    show.table("Tokens given back word for word", columns, rows)
    told = _summary(found)
    resumed = f", {found.resumed_step:,} of them by earlier runs" if found.resumed_step else ""
    print(f"{found.steps:,} steps{resumed}; {found.seconds:,.1f} s")
    print(
        f"planted: {told['planted']:,} examples, {found.share:.2%} of all, "
        f"at most {found.densest:.2%} of a batch"
    )
    if (first := found.log[0]).validation is not None and (last := found.log[-1]).validation is not None:
        print(f"held out: {first.validation:.4f} nats/token before, {last.validation:.4f} after")
    print(f"model: {found.checkpoints[-1]}")
