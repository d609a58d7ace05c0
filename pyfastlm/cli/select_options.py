"""Arguments that several commands of ``pyfastlm select`` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyfastlm.selection.study.joining import LeftOut

Matrix = Annotated[
    Path,
    typer.Argument(
        metavar="MATRIX", help="Bits per byte, .parquet, as select bpb writes it.", show_default=False
    ),
]
Errors = Annotated[
    Path,
    typer.Argument(
        metavar="ERRORS",
        help="Errors of the same models on benchmarks: .csv, .parquet or .jsonl.",
        show_default=False,
    ),
]
Estimator = Annotated[
    str,
    typer.Option(
        "--estimator", "-e", help="product, sign, sign_cdf, sign_sign, spearmanr or partial_spearmanr."
    ),
]
Projection = Annotated[str, typer.Option(help="linear (the best domains in full) or l2.")]
Keep = Annotated[float | None, typer.Option(help="Part of all tokens to select.", show_default=False)]
Budget = Annotated[int | None, typer.Option(help="Tokens to select; this or --keep.", show_default=False)]
Repeats = Annotated[float, typer.Option(help="How often a text may be used.")]
Group = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=B,B",
        help="Benchmarks to select for together; may be given several times. All by default.",
        show_default=False,
    ),
]
Missing = Annotated[
    str, typer.Option(help="Rule for missing numbers: raise, drop_models, drop_domains or mask.")
]
Duplicates = Annotated[
    str, typer.Option(help="Rule for models with the same bits per byte: raise, drop or family.")
]
Replicates = Annotated[int, typer.Option(min=0, help="Draws of families, for intervals and frequencies.")]
Permutations = Annotated[int, typer.Option(min=0, help="Of the errors, for significance.")]
Seed = Annotated[int, typer.Option(min=0, help="Of draws, folds and permutations.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def groups_of(given: list[str] | None) -> dict[str, list[str]] | None:
    """``--group`` as names with their benchmarks.

    Raises:
        InputError: one is not NAME=B,B, or a name comes twice.
    """
    if not given:
        return None
    groups: dict[str, list[str]] = {}
    for text in given:
        name, equals, members = text.partition("=")
        names = [member.strip() for member in members.split(",") if member.strip()]
        if not equals or not name.strip() or "/" in name or not names or name.strip() in groups:
            raise InputError(f"group: expected NAME=BENCHMARK,BENCHMARK, each name once, got {text!r}")
        groups[name.strip()] = names
    return groups


def about(models: int, families: int, left_out: "Sequence[LeftOut]") -> list[str]:
    """Lines for people: how much evidence there is, and what is not used."""
    from pyfastlm.selection.study.names import shown

    lines = [f"{models:,} models of {families:,} families"]
    gone = [shown(f"{one.model} {one.reason}") for one in left_out[:10]]
    if left_out:
        more = f"; and {len(left_out) - 10:,} more" if len(left_out) > 10 else ""
        lines.append(f"left out: {'; '.join(gone)}{more}")
    return lines
