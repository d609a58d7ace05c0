"""Arguments that name sequences, and what ``pyfastlm memorize`` makes of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.lm import LM
    from pyfastlm.memorization import NamedSequence, StressReport

KINDS = ("original", "shifted", "other length", "one word", "several words")

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.", show_default=False),
]
Sequences = Annotated[
    str,
    typer.Argument(help="JSON file {group: {key: text}, group_transform: name}.", show_default=False),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--id", help="group/key of a sequence; may be given several times.", show_default="all"),
]
Horizon = Annotated[int, typer.Option(min=1, help="The most tokens that are counted.")]
Prefix = Annotated[int, typer.Option(min=1, help="Tokens of the prompt: the first ones.")]
Shifts = Annotated[int, typer.Option(min=0, help="Tokens left out at the start, at most.")]
SimilarWords = Annotated[
    str | None,
    typer.Option(
        help="JSON file {word: [substitutes]}.", show_default="the nearest words in the model's embeddings"
    ),
]
Substitutes = Annotated[int, typer.Option(min=0, help="Others that are tried for each word.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all draws.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def numbers(name: str, text: str) -> list[int]:
    """Whole numbers with commas between them; none in an empty text."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(f"{name}: expected numbers like 8,16,32, got {text!r}") from None


def chosen(read: "Sequence[NamedSequence]", names: Sequence[str], option: str) -> "list[NamedSequence]":
    """The sequences with these names, all where there are none."""
    known = {one.id: one for one in read}
    for name in names:
        if name not in known:
            some = ", ".join([*known][:5])
            raise InputError(f"{option}: expected a sequence of the file, e.g. {some}; got {name!r}")
    return [known[name] for name in names] if names else [*read]


def encoded(lm: "LM", one: "NamedSequence", at_least: int, option: str) -> list[int]:
    """Token ids; a text that is too short is refused by its name."""
    ids: list[int] = lm.tokenizer(one.text, add_special_tokens=False, verbose=False)["input_ids"]
    if len(ids) < at_least:
        raise InputError(
            f"{option}: expected at least {at_least} tokens in {one.id!r}, got {len(ids)}; leave it out with "
            "--id, or ask for less"
        )
    return ids


def stress_columns(report: "StressReport") -> list[str]:
    """The longest of each of ``KINDS``, for a table."""
    rows = {row.kind: row for row in report.by_kind}
    return [f"{rows[kind].longest}" if kind in rows else "" for kind in KINDS]


def stress_dict(report: "StressReport") -> dict[str, object]:
    """A report, for machines."""
    return {
        "original": report.original,
        "longest": report.longest,
        "worst": {"kind": report.worst.kind, "shift": report.worst.shift, "changes": report.worst.changes},
        "by_kind": [row._asdict() for row in report.by_kind],
    }
