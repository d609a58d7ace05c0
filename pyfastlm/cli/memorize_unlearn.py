"""``pyfastlm memorize unlearn``: make a model forget sequences, and see what is left."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pyfastlm.cli.memorize_sequences import (
    Horizon,
    Json,
    Model,
    Names,
    Prefix,
    Seed,
    Sequences,
    Shifts,
    SimilarWords,
    Substitutes,
    chosen,
    encoded,
    stress_dict,
)

if TYPE_CHECKING:
    from pyfastlm.lm import LM
    from pyfastlm.memorization import StressReport, Unlearned

EXAMPLES = 256  # of the text to retain that are used, at most


def command(
    sequences: Sequences,
    model: Model,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New directory for the changed model.", show_default=False)
    ],
    id: Names = None,
    method: Annotated[
        str, typer.Option(help="gradient_ascent, gradient_difference, sparse, or pruning.")
    ] = "gradient_ascent",
    retain: Annotated[
        list[str] | None,
        typer.Option(
            help="Text that stands for what is to stay: .txt (one text a line), .jsonl, .parquet, also .gz, "
            ".zst. May be given several times.",
            show_default=False,
        ),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Other text, to measure the damage on; the same kinds of files.", show_default=False
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="At most.")] = 100,
    until: Annotated[
        int, typer.Option(min=0, help="Stop where the prompts bring back fewer tokens than this; 0: never.")
    ] = 5,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.", show_default="5e-5, sparse: 1e-3")
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            help="Of the weights (sparse), or of the units of a step (pruning).", show_default="0.001"
        ),
    ] = None,
    retain_weight: Annotated[
        float, typer.Option(help="Of what is retained, beside what is forgotten.")
    ] = 1.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences of a step, of each kind.")] = 8,
    prefix: Prefix = 32,
    horizon: Horizon = 64,
    shifts: Shifts = 16,
    similar_words: SimilarWords = None,
    substitutes: Substitutes = 4,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Make a model forget sequences, put the same prompts to it before and after, and save it.

    What the original prompt no longer brings back may still come from another: the column "any prompt" is
    the one to look at. With --held-out, the damage is shown as bits per byte.

    \b
    Example:
        pyfastlm memorize unlearn quotes.json -m model -o forgot --method sparse --retain text.jsonl
    """
    from pyfastlm.cli.texts import read as read_texts
    from pyfastlm.lm import load
    from pyfastlm.lm.saving import check_directory, save_model
    from pyfastlm.memorization import (
        TokenStream,
        read_sequences,
        read_similar_words,
        stress_again,
        stress_test,
        unlearn,
    )
    from pyfastlm.memorization.unlearning.result import Method

    check_directory(out)  # mistakes show before a model is loaded
    read = chosen(read_sequences(sequences), id or [], "id")
    words = None if similar_words is None else read_similar_words(similar_words)
    texts = read_texts(held_out, text_key, "held-out")
    lm = load(model)
    tokens = [encoded(lm, one, prefix + 1, "prefix") for one in read]
    kept = None
    if retain:
        stream = TokenStream.read(retain, lm.tokenizer, prefix + horizon - 1, text_key=text_key)
        kept = stream.examples(_spread(len(stream))).tolist()
    before = [
        stress_test(
            lm,
            ids,
            prefix,
            horizon,
            shifts=shifts,
            similar_words=words,
            substitutes=substitutes,
            seed=seed,
        )
        for ids in tokens
    ]
    done = unlearn(
        lm,
        [ids[: prefix + horizon] for ids in tokens],
        method=cast(Method, method),  # which checks it
        retain=kept,
        steps=steps,
        lr=lr,
        share=share,
        retain_weight=retain_weight,
        until=until or None,
        prefix_length=prefix,
        horizon=horizon,
        batch_size=batch_size,
        seed=seed,
        progress=True,
    )
    after = [stress_again(done.lm, one) for one in before]
    bits = [_bits(one, texts) for one in (lm, done.lm)]
    save_model(done.lm, out)
    names = [one.id for one in read]
    shown = _as_json if json else _as_table
    shown(done, names, before, after, bits, out)


def _spread(count: int) -> Any:
    """Numbers of at most ``EXAMPLES`` examples out of ``count``, evenly from first to last."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, EXAMPLES)).astype(np.int64))


def _bits(lm: "LM", texts: Sequence[str]) -> float | None:
    from pyfastlm.lm import Scorer

    if not texts:
        return None
    scores = Scorer(lm).rolling(texts, progress=True)
    return -sum(one.logp for one in scores) / math.log(2) / sum(one.n_bytes for one in scores)


def _as_json(
    done: "Unlearned",
    names: Sequence[str],
    before: "Sequence[StressReport]",
    after: "Sequence[StressReport]",
    bits: Sequence[float | None],
    out: Path,
) -> None:
    from pyfastlm.cli import show

    show.as_json(
        {
            "model": str(out),
            "method": done.method,
            "steps": done.steps,
            "ended": done.ended,
            "changed": done.changed,
            "weights": done.weights,
            "seconds": done.seconds,
            "bits_per_byte": {"before": bits[0], "after": bits[1]},
            "sequences": {
                name: {"before": stress_dict(old), "after": stress_dict(new)}
                for name, old, new in zip(names, before, after, strict=True)
            },
            "log": [asdict(entry) for entry in done.log],
        }
    )


def _as_table(
    done: "Unlearned",
    names: Sequence[str],
    before: "Sequence[StressReport]",
    after: "Sequence[StressReport]",
    bits: Sequence[float | None],
    out: Path,
) -> None:
    from pyfastlm.cli import show

    show.table(
        "Tokens given back, before and after",
        ["sequence", "original prompt", "any prompt", "prompts", "that prompt"],
        [
            [
                name,
                f"{old.original} > {new.original}",
                f"{old.longest} > {new.longest}",
                f"{len(new.variants)}",
                new.worst.kind if new.longest else "",
            ]
            for name, old, new in zip(names, before, after, strict=True)
        ],
    )
    print(
        f"{done.method}: {done.steps:,} steps, ended: {done.ended}; {done.changed / done.weights:.2%} of the "
        f"weights changed; {done.seconds:,.1f} s"
    )
    if bits[0] is not None and bits[1] is not None:
        print(f"held out: {bits[0]:.4f} bits/byte before, {bits[1]:.4f} after")
    print(f"model: {out}")
