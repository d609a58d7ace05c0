"""``pyfastlm spell train``: odds and threshold that fit a catalogue."""

import time
from pathlib import Path
from typing import Annotated, cast

import typer

from pyfastlm.cli.spell_options import (
    MEASURES,
    Catalogue,
    CatalogueFormat,
    English,
    Json,
    Seed,
    Threads,
    measured,
)


def command(
    catalogue: Catalogue,
    odds: Annotated[Path, typer.Argument(help="Odds to write, .json.", show_default=False)],
    rate: Annotated[float, typer.Option(help="Share of new names that may be changed.")] = 0.05,
    english: English = None,
    held_out: Annotated[float, typer.Option(help="Share of the names that play the new ones.")] = 0.3,
    most: Annotated[int, typer.Option(help="Names that are misspelt, and new ones, at most.")] = 20_000,
    format: CatalogueFormat = None,
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Fit the odds to a catalogue, and choose the threshold for a rate of false corrections.

    Some of the names are misspelt, others are held out and play the new ones. What is reported is measured
    on a part of both that was used for nothing else. Misspellings are made up: people make others.

    \b
    Example:
        pyfastlm spell train names.tsv odds.json --rate 0.05
    """
    from pyfastlm.cli import show
    from pyfastlm.spelling import read_catalogue, train, write_odds
    from pyfastlm.spelling.catalogue.reading import Format

    start = time.perf_counter()
    trained = train(
        read_catalogue(catalogue, format=cast(Format | None, format)),  # which checks it
        english=english,
        rate=rate,
        held_out=held_out,
        most=most,
        seed=seed,
        threads=threads,
        progress=True,
    )
    write_odds(odds, trained.odds, trained.threshold)
    seconds = time.perf_counter() - start
    if json:
        show.as_json(
            {
                "odds": odds,
                "threshold": trained.threshold,
                "rate": rate,
                "examples": trained.examples,
                "development": trained.development,
                "report": trained.report.as_dict(),
                "default": trained.default.as_dict(),
                "seconds": seconds,
            }
        )
        return
    report = trained.report
    show.table(
        f"Odds {odds}: {report.n:,} misspelt and {report.n_novel:,} new names that were not fitted",
        ["measure (95 % interval)", "odds of it", "of English"],
        zip(MEASURES, measured(report), measured(trained.default), strict=True),
    )
    print(
        f"threshold {trained.threshold:.2f}, for {rate:.1%} of {trained.development[1]:,} other new names; "
        f"{trained.examples:,} texts fitted; {seconds:.1f} s"
    )
