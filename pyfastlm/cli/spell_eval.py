"""``pyfastlm spell eval``: what a speller repairs and damages, beside doing nothing."""

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pyfastlm.cli.spell_options import (
    MEASURES,
    English,
    Index,
    Json,
    OddsFile,
    Seed,
    Threads,
    Threshold,
    measured,
    percent,
    speller_of,
)

if TYPE_CHECKING:
    from pyfastlm.spelling import Report

RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
MIXED = (0.05, 0.12, 0.26)  # as in pyfastlm.spelling.evaluation.measures, which loads numpy


def command(
    index: Index,
    pairs: Annotated[
        str,
        typer.Argument(
            help="File of misspellings with what was meant: tab-separated, codespell's, Wikipedia's, "
            "SymSpell's; also .gz, .zst.",
            show_default=False,
        ),
    ],
    clean: Annotated[
        str | None, typer.Option(help="File of queries that are right, one a line.", show_default=False)
    ] = None,
    novel: Annotated[
        str | None,
        typer.Option(
            help="File of right names that the index does not have, one a line.", show_default=False
        ),
    ] = None,
    english: English = None,
    odds: OddsFile = None,
    threshold: Threshold = None,
    format: Annotated[
        str | None,
        typer.Option(help="Of the pairs: tab, arrow, colon, csv, distance.", show_default="seen by them"),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many candidates count.")] = 10,
    seed: Seed = 0,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Evaluate on queries that need a change and on queries that need none.

    Texts are compared as the index compares them: case folded. The curve is over the new names, else over
    the clean queries; a threshold that is taken from it is to be measured on other queries.

    \b
    Example:
        pyfastlm spell eval names.index pairs.tsv --clean right.txt --novel new.txt
    """
    from pyfastlm.cli import show
    from pyfastlm.spelling import DoNothing, evaluate, read_pairs
    from pyfastlm.spelling.lines import text_lines
    from pyfastlm.spelling.pairs.forms import Format

    speller = speller_of(index, english, odds, threshold, threads)
    given = read_pairs(pairs, format=cast(Format | None, format))  # which checks it
    right, new = ([] if path is None else [line for _, line in text_lines(path)] for path in (clean, novel))
    reports = {
        name: evaluate(
            corrector, given, right, novel=new, k=k, form=speller.index.normal, seed=seed, progress=True
        )
        for name, corrector in (("speller", speller), ("do nothing", DoNothing()))
    }
    points = _curve(reports["speller"])
    if json:
        show.as_json(
            {
                "index": index,
                "threshold": speller.threshold,
                "reports": {name: report.as_dict() for name, report in reports.items()},
                "curve": points,
            }
        )
        return
    report = reports["speller"]
    show.table(
        f"{report.n:,} misspelt, {report.n_clean:,} right, {report.n_novel:,} new; threshold "
        f"{speller.threshold:g}",
        ["measure (95 % interval)", *reports],
        zip(*(_column(report) for report in [None, *reports.values()]), strict=True),
    )
    if points:
        show.table(
            f"Other thresholds, by false corrections of the {'new' if report.n_novel else 'clean'} queries",
            ["changed", "threshold", "recall", "precision"],
            [
                [
                    percent(point["rate"]),
                    f"{point['threshold']:.2f}",
                    percent(point["recall"]),
                    percent(point["precision"]),
                ]
                for point in points
            ],
        )
    show.table(
        "By class of error",
        ["class", "queries", "precision", "recall", "recall@1", f"recall@{k}"],
        [
            [
                one.kind or "(none)",
                f"{one.n:,}",
                *map(percent, (one.precision, one.recall, one.recall_at_1, one.recall_at_k)),
            ]
            for one in report.by_kind
        ],
    )


def _curve(report: "Report") -> list[dict[str, Any]]:
    """At each of ``RATES`` that a threshold can keep."""
    from pyfastlm.spelling import curve, threshold_for

    if not report.n_novel and not report.n_clean:
        return []
    along = curve(report, on="novel" if report.n_novel else "clean")
    points = []
    for rate in RATES:
        threshold = threshold_for(along, rate)
        place = int(along.thresholds.searchsorted(threshold))
        points.append(
            {
                "rate": rate,
                "threshold": threshold,
                "recall": float(along.recall[place]),
                "precision": float(along.precision[place]),
            }
        )
    return points


def _column(report: "Report | None") -> list[str]:
    """The measures of a report; their names without one."""
    if report is None:
        return [*MEASURES, *(f"right, {rate:.0%} misspelt" for rate in MIXED), "ms a query"]
    return [
        *measured(report),
        *(percent(part.accuracy, part.interval) for part in report.mixed),
        f"{report.latency.mean:.2g}",
    ]
