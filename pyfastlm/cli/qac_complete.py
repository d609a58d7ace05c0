"""``pyfastlm qac complete``: suggestions for beginnings of searches."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.qac.ladder import Suggestion

EDITS = ("auto", "0", "1", "2")


def command(
    index: Annotated[str, typer.Argument(help="Index to ask.", show_default=False)],
    prefixes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PREFIX",
            help="Beginnings of searches; none, or -: one on each line of standard input.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Suggestions for each, at most.")] = 10,
    edits: Annotated[
        str, typer.Option(help=f"Typos: {', '.join(EDITS)}; auto goes by the length of the prefix.")
    ] = "auto",
    past: Annotated[
        list[str] | None,
        typer.Option(help="Earlier search of the session; may be given several times, the last one last."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the suggestions as JSON.")] = False,
) -> None:
    """Complete beginnings of searches.

    What begins as typed comes first, then what begins so with one typo, then with two. Earlier searches move
    what is like them up within each of these.

    \b
    Example:
        pyfastlm qac complete terms.index "coffe" --past "french press"
    """
    from pyfastlm.cli import show
    from pyfastlm.index import TermIndex
    from pyfastlm.qac.ladder import AUTO, suggest

    if edits not in EDITS:
        raise InputError(f"edits: expected one of {', '.join(EDITS)}, got {edits!r}")
    most = AUTO if edits == "auto" else int(edits)
    terms = TermIndex.open(index)
    answers = []
    for prefix in _prefixes(prefixes or ["-"]):
        start = time.perf_counter_ns()
        found = suggest(terms, prefix, k, edits=most, past=past or ())
        spent = (time.perf_counter_ns() - start) / 1000
        if json:
            suggestions = [suggestion._asdict() for suggestion in found]
            answers.append({"prefix": prefix, "suggestions": suggestions, "microseconds": spent})
        else:
            columns = ["suggestion", "score", "found as"]
            show.table(f"{prefix!r}, {spent:.0f} µs", columns, map(_cells, found))
    if json:
        show.as_json({"index": index, "answers": answers})


def _cells(suggestion: "Suggestion") -> list[str]:
    found = suggestion.stage
    if suggestion.distance:
        found += f", {suggestion.distance} edit{'s' if suggestion.distance > 1 else ''}"
    shown = suggestion.term if suggestion.term.isprintable() else repr(suggestion.term)
    return [shown, f"{suggestion.score:,.10g}", found]


def _prefixes(given: list[str]) -> Iterator[str]:
    """The prefixes; in place of ``-`` the lines of standard input. A space at the end counts."""
    for prefix in given:
        if prefix != "-":
            if any("\ud800" <= character <= "\udfff" for character in prefix):
                raise InputError("prefix: expected UTF-8, got other bytes")
            yield prefix
            continue
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                yield line.removesuffix(b"\n").removesuffix(b"\r").decode()
            except UnicodeDecodeError:
                raise InputError(f"prefixes: standard input, line {number}: expected UTF-8") from None
