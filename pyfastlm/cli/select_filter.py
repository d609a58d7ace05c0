"""``pyfastlm select filter``: a filter of pages learned from a selection, and a corpus filtered by it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.selection import AppliedReport, Evaluation, FilterReport

FILES = "Files or quoted globs: .jsonl (also .gz, .zst), .parquet."


def group() -> typer.Typer:
    """The commands ``train`` and ``apply``."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(_about)
    app.command("train")(train)
    app.command("apply")(apply)
    return app


def _about() -> None:
    """Learn a filter of pages from a selection of domains; take pages by it up to a budget of tokens."""


def train(
    pages: Annotated[list[str], typer.Argument(metavar="PAGES", help=FILES, show_default=False)],
    labels: Annotated[
        Path,
        typer.Option(
            "--labels",
            "-l",
            help="Which domains are included: a selection, or a .json, .csv, .jsonl or .parquet file.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Filter to write, a .json file.", show_default=False)
    ],
    kind: Annotated[str, typer.Option(help="fasttext or hashed.")] = "fasttext",
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    domain_key: Annotated[str, typer.Option(help="That of the domain.")] = "domain",
    page_key: Annotated[
        str, typer.Option(help="That which the rows of a page share, if pages lie in pieces.")
    ] = "id",
    valid: Annotated[
        float, typer.Option(help="Part of the pages to test on, and part to calibrate on.")
    ] = 0.05,
    valid_domains: Annotated[
        float | None, typer.Option(help="Part of the domains to hold out; by default as --valid.")
    ] = None,
    buckets: Annotated[
        int | None, typer.Option(min=1, help="Of hashed features; by default those of the kind.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the pages; by default 5.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of order, split, hashes and training.")] = 0,
    threads: Annotated[
        int, typer.Option(min=1, help="Of fastText; above 1 its results differ from run to run.")
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Learn to tell pages of included from pages of excluded domains.

    Prints precision, recall and F1 on pages and on whole domains that were held out.

    \b
    Example:
        pyfastlm select filter train 'sample/*.parquet' --labels selection.parquet -o filter.json
    """
    from pyfastlm.cli import show
    from pyfastlm.selection import FastTextOptions, HashedOptions, train_filter

    kinds = {"fasttext": FastTextOptions, "hashed": HashedOptions}
    if kind not in kinds:
        raise InputError(f"kind: expected one of {', '.join(kinds)}, got {kind!r}")
    given = {name: value for name, value in (("buckets", buckets), ("epochs", epochs)) if value is not None}
    found = train_filter(
        list(pages),
        output,
        labels=labels,
        kind=kind,  # type: ignore[arg-type]
        options=kinds[kind](**given),
        text_key=text_key,
        domain_key=domain_key,
        page_key=page_key,
        valid=valid,
        valid_domains=valid_domains,
        seed=seed,
        threads=threads,
        progress=True,
    )
    if json:
        show.as_json({"filter": output, "fingerprint": found.fingerprint} | asdict(found.report))
    else:
        _show_training(output, found.report)


def apply(
    filter: Annotated[Path, typer.Argument(metavar="FILTER", help="Filter to apply.", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUTS", help=f"{FILES} Also .txt.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write: .jsonl (also .gz, .zst) or .parquet.", show_default=False
        ),
    ],
    budget: Annotated[int | None, typer.Option(min=1, help="Tokens to take.")] = None,
    keep: Annotated[float | None, typer.Option(help="Instead: the part of all tokens to take.")] = None,
    count: Annotated[
        str, typer.Option(help="What a token is: bytes, or a tokenizer: hub id, directory, smollm2.")
    ] = "bytes",
    count_key: Annotated[
        str | None, typer.Option(help="Instead: JSON key or Parquet column with the tokens of a page.")
    ] = None,
    cut: Annotated[bool, typer.Option(help="Cut the last page to meet the budget to the token.")] = True,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    domain_key: Annotated[
        str | None, typer.Option(help="That of the domain, to carry it over and to count by it.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(help="Go on with an unfinished job; otherwise start afresh and replace the output."),
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Score every page and write those of highest score, as many tokens as the budget has.

    Killed at any moment, the same command goes on where it was.

    \b
    Example:
        pyfastlm select filter apply filter.json 'corpus/*.jsonl.zst' --keep 0.1 -o taken.jsonl.zst
    """
    from pyfastlm.cli import show
    from pyfastlm.selection import apply_filter

    report = apply_filter(
        filter,
        list(inputs),
        output,
        budget=budget,
        keep=keep,
        count=count,
        count_key=count_key,
        cut=cut,
        text_key=text_key,
        domain_key=domain_key,
        resume=resume,
        progress=True,
    )
    show.as_json(asdict(report)) if json else _show_taken(report)


def _show_training(output: Path, report: "FilterReport") -> None:
    from pyfastlm.cli import show

    show.table(
        f"Filter {output}",
        ["held out", "pages", "included", "precision", "recall", "F1", "average precision", "Brier"],
        [
            _cells(name, figures)
            for name, figures in (("pages", report.held_out_pages), ("domains", report.held_out_domains))
            if figures is not None
        ],
    )
    if report.by_domain:
        show.table(
            "Domains held out",
            ["domain", "included", "pages", "mean probability"],
            [
                [of.domain, "yes" if of.included else "no", f"{of.pages:,}", f"{of.mean_probability:.3f}"]
                for of in report.by_domain
            ],
        )
    print(
        f"{report.kind}: {report.trained:,} pages of {report.domains:,} domains learned from, "
        f"{report.trained_included:,} of them included; {report.duplicates:,} duplicates and "
        f"{report.conflicts:,} conflicts left out; {report.train_seconds:.1f} of {report.seconds:.1f} s"
    )
    print(f"rows: {report.rows:,}, {report.rejected:,} rejected, {report.unlabelled:,} of other domains")


def _cells(name: str, figures: "Evaluation") -> list[str]:
    ratios: tuple[Any, ...] = (
        figures.prevalence,
        figures.precision,
        figures.recall,
        figures.f1,
        figures.average_precision,
        figures.brier,
    )
    return [name, f"{figures.pages:,}", *(f"{ratio:.3f}" for ratio in ratios)]


def _show_taken(report: "AppliedReport") -> None:
    from pyfastlm.cli import show

    def cells(name: str, pages: int, tokens: int, taken_pages: int, taken_tokens: int) -> list[str]:
        share = f"{taken_tokens / tokens:.1%}" if tokens else ""
        return [name, f"{pages:,}", f"{tokens:,}", f"{taken_pages:,}", f"{taken_tokens:,}", share]

    show.table(
        f"Taken into {report.output}",
        ["domain", "pages", "tokens", "taken pages", "taken tokens", "taken"],
        [cells(of.domain, of.pages, of.tokens, of.taken_pages, of.taken_tokens) for of in report.domains],
        cells("all", report.pages, report.tokens, report.taken_pages, report.taken_tokens),
    )
    missing = f"{report.missing:,} missing"
    print(f"budget: {report.budget:,} tokens ({report.count}), {missing}; {report.seconds:.1f} s")
    if report.cut is not None:
        cut = report.cut
        print(f"cut: {cut.source}, row {cut.row:,}: {cut.taken_tokens:,} of {cut.tokens:,} tokens")
    if report.rejects:
        print(f"rejected rows: {report.rejected:,}, see {report.rejects}")
