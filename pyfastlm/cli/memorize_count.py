"""``pyfastlm memorize count``: how often a corpus has sequences, and where."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pyfastlm.errors import InputError


def command(
    index: Annotated[Path, typer.Argument(help="Index, as memorize index writes it.", show_default=False)],
    patterns: Annotated[
        list[str] | None,
        typer.Argument(help="What to count; - for a pattern a line on standard input.", show_default=False),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Of an index of tokens: hub id, directory, or smollm2. Without it, patterns are token ids.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[int, typer.Option(min=0, help="Name the first places of each.")] = 0,
    following: Annotated[
        int, typer.Option("--next", min=0, help="Name what follows most often, as bytes or token ids.")
    ] = 0,
    verify: Annotated[bool, typer.Option(help="Compare the checksums of the index first.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Count sequences in a corpus, overlapping occurrences too.

    \b
    Example:
        pyfastlm memorize count corpus.index "to be or not to be" --where 3
    """
    from pyfastlm.cli import show
    from pyfastlm.memorization import CorpusIndex

    opened = CorpusIndex.open(index, tokenizer=tokenizer, verify=verify)
    given = [line.rstrip("\n") for line in sys.stdin] if patterns == ["-"] else patterns or []
    if not given:
        raise InputError("patterns: expected one or more, got none")
    asked = [_ids(text) for text in given] if opened.kind == "tokens" and tokenizer is None else given
    found: list[dict[str, Any]] = []
    for text, pattern, count in zip(given, asked, opened.count_batch(asked).tolist(), strict=True):
        one: dict[str, Any] = {"pattern": text, "count": count}
        if where:
            places = opened.positions(pattern, where)
            one["places"] = list(zip(places.documents.tolist(), places.offsets.tolist(), strict=True))
        if following:
            after = opened.continuations(pattern)
            one["next"] = list(zip(after.units.tolist(), after.counts.tolist(), strict=True))[:following]
        found.append(one)
    if json:
        show.as_json({"index": index, "patterns": found})
        return
    columns = ["pattern", "count"] + ["document:offset"] * bool(where) + ["next"] * bool(following)
    show.table(f"In {opened.documents:,} documents", columns, [_row(one) for one in found])


def _ids(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split()]
    except ValueError:
        raise InputError(f"patterns: expected token ids, or --tokenizer, got {text!r}") from None


def _row(one: dict[str, Any]) -> list[str]:
    cells = [one["pattern"], f"{one['count']:,}"]
    if "places" in one:
        cells.append(" ".join(f"{document}:{offset}" for document, offset in one["places"]))
    if "next" in one:
        cells.append(" ".join(f"{unit} ({count:,})" for unit, count in one["next"]))
    return cells
