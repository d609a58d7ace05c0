"""``pyfastlm spell fix``: queries to what they are taken to mean."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from pyfastlm.cli.spell_options import English, Exclude, Index, Json, OddsFile, Threads, Threshold, speller_of
from pyfastlm.errors import InputError


def command(
    index: Index,
    queries: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help="Queries; none, or -: one on each line of standard input.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", help="File of queries, one a line; also .gz, .zst.", show_default=False
        ),
    ] = None,
    english: English = None,
    odds: OddsFile = None,
    threshold: Threshold = None,
    exclude: Exclude = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Correct queries; those that are right, and names that nobody knows yet, are left alone.

    The margin says how much more likely the best other text is, in log-odds.

    \b
    Example:
        pyfastlm spell fix names.index "wirless hedphones" --english english.index
    """
    from pyfastlm.cli import show
    from pyfastlm.spelling.lines import text_lines

    if input is not None and queries:
        raise InputError("input: expected either queries or --input, got both")
    speller = speller_of(index, english, odds, threshold, threads, exclude or ())
    lines = _queries(queries or ["-"]) if input is None else (line for _, line in text_lines(input))
    asked = list(lines)
    found = list(zip(asked, speller.correct_all(asked), strict=True))
    if json:
        show.as_json(
            {
                "index": index,
                "threshold": speller.threshold,
                "corrections": [
                    {
                        "query": query,
                        "text": one.text,
                        "changed": one.changed,
                        "margin": one.margin,
                        "candidates": [candidate._asdict() for candidate in one.candidates],
                    }
                    for query, one in found
                ],
            }
        )
        return
    show.table(
        f"{sum(one.changed for _, one in found):,} of {len(found):,} changed",
        ["query", "correction", "margin"],
        [
            [_shown(query), _shown(one.text) if one.changed else "", _margin(one.margin)]
            for query, one in found
        ],
    )


def _margin(margin: float) -> str:
    return f"{margin:.2f}" if margin > -float("inf") else ""


def _shown(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _queries(given: list[str]) -> Iterator[str]:
    """The queries; in place of ``-`` the lines of standard input."""
    for query in given:
        if query != "-":
            yield query
            continue
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                yield line.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError:
                raise InputError(f"queries: standard input, line {number}: expected UTF-8") from None
