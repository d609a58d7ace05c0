"""Arguments that several commands of ``pyfastlm spell`` share."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyfastlm.spelling import Report, Speller

MEASURES = ("precision", "recall", "recall of candidates", "right queries changed", "new names changed")

Catalogue = Annotated[
    str,
    typer.Argument(
        help="File of names, one a line: name, or name, tab, popularity; also .gz, .zst.", show_default=False
    ),
]
CatalogueFormat = Annotated[
    str | None,
    typer.Option(help="Of the catalogue: tab, or counts (term, space, count).", show_default="tab"),
]
Index = Annotated[str, typer.Argument(help="Index, as spell build writes it.", show_default=False)]
English = Annotated[
    str | None,
    typer.Option(help="Index of a dictionary, as spell build --english writes it.", show_default=False),
]
OddsFile = Annotated[
    str | None,
    typer.Option("--odds", help="As spell train writes them.", show_default="of English"),
]
Threshold = Annotated[
    float | None,
    typer.Option(help="A query is changed where its margin is above.", show_default="that of the odds"),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Word or query that is never changed; may be given several times.", show_default=False),
]
Seed = Annotated[int, typer.Option(min=0, help="Of draws and intervals.")]
Threads = Annotated[int | None, typer.Option(min=1, help="By default all.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def speller_of(
    index: str,
    english: str | None,
    odds: str | None,
    threshold: float | None,
    threads: int | None,
    exclude: Sequence[str] = (),
) -> "Speller":
    """The speller of these options."""
    from pyfastlm.spelling import Speller, read_odds
    from pyfastlm.spelling.speller import THRESHOLD

    saved = None if odds is None else read_odds(odds)
    if threshold is None:
        threshold = THRESHOLD if saved is None else saved.threshold
    return Speller(
        index,
        english=english,
        odds=None if saved is None else saved.odds,
        threshold=threshold,
        exclude=exclude,
        threads=threads,
    )


def percent(share: float, interval: tuple[float, float] | None = None) -> str:
    """A share for people, with its interval; nothing where there is none."""
    if math.isnan(share):
        return ""
    if interval is None or math.isnan(interval[0]):
        return f"{share:.1%}"
    return f"{share:.1%} ({interval[0]:.1%}-{interval[1]:.1%})"


def measured(report: "Report") -> list[str]:
    """``MEASURES`` of a report, with their intervals."""
    names = ("precision", "recall", "recall_at_k", "false_correction_rate", "novel_false_correction_rate")
    return [percent(getattr(report, name), getattr(report.intervals, name)) for name in names]
