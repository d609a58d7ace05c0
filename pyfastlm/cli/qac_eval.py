"""``pyfastlm qac eval``: engines side by side on rows of searches."""

from typing import Annotated, Any

import typer

from pyfastlm.errors import InputError

# As in pyfastlm.qac.comparison, which takes a while to import.
CHEAP = "no order,popularity,typos,conjunctive,context"


def command(
    rows: Annotated[
        list[str],
        typer.Argument(
            metavar="ROWS",
            help="AmazonQAC's test split: .parquet or .jsonl (also .gz, .zst); of its train split one prefix "
            "is drawn from each row.",
            show_default=False,
        ),
    ],
    index: Annotated[str, typer.Option("--index", "-i", help="Index to ask.", show_default=False)],
    engines: Annotated[
        str,
        typer.Option(
            help="Some of: no order, popularity, typos, conjunctive, context; with a model: semantic, "
            "rerank, generate, generate inside, popularity then generate; fine-tuned first: tuned, "
            "tuned inside, tuned rerank, popularity then tuned."
        ),
    ] = CHEAP,
    earlier: Annotated[
        list[str] | None,
        typer.Option(
            help="Rows from before, not in the index: to fine-tune on, and for the weights of rerank. May be "
            "given several times."
        ),
    ] = None,
    earlier_limit: Annotated[int, typer.Option(min=1, help="How many of those, drawn evenly.")] = 1000,
    limit: Annotated[
        int | None, typer.Option(min=1, help="How many rows, drawn evenly; all by default.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    encoder: Annotated[str, typer.Option(help="Of semantic: hub id, directory, or minilm.")] = "minilm",
    k: Annotated[int, typer.Option("-k", min=1, help="How many answers count.")] = 10,
    controls: Annotated[bool, typer.Option(help="Exchange the contexts of rows, too.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of draws, intervals and fine-tuning.")] = 0,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Directory for the answers as they come; the same command goes on from there."
        ),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Of each engine also by prefix length, popularity and context.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Evaluate: Success@k and reciprocal rank with 95 % intervals by session, and what limits them.

    \b
    Examples:
        pyfastlm qac eval test.parquet --index terms.index
        pyfastlm qac eval test.parquet --index terms.index --limit 300 --engines popularity,rerank
        pyfastlm qac eval test.parquet --index terms.index --engines tuned --earlier e.parquet --save run
    """
    from pyfastlm.cli import show
    from pyfastlm.index import TermIndex
    from pyfastlm.qac import comparison

    wanted = [name.strip() for name in engines.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in comparison.ENGINES]:
        raise InputError(f"engines: expected some of {', '.join(comparison.ENGINES)}, got {unknown[0]!r}")
    asked = _drawn(rows, limit, seed)
    before = _drawn(earlier, earlier_limit, seed) if earlier else []
    result = comparison.compare(
        TermIndex.open(index),
        asked,
        wanted,
        k=k,
        lm=model,
        encoder=encoder,
        earlier=before,
        controls=controls,
        seed=seed,
        progress=True,
        saved=save,
    )
    if json:
        show.as_json({"index": index, "seed": seed, **result.as_dict()})
        return
    report = result.rows[0].report
    show.table(f"{report.n:,} rows of {report.sessions:,} sessions", result.columns(), result.cells())
    print(f"gain: of S@{k}, against popularity on the same rows; 95 %: intervals from sessions drawn anew")
    limits = report.ceilings
    show.table(
        "Ceilings",
        [
            "dictionary",
            "prefix",
            "one edit",
            "two edits",
            f"{k} of prefix",
            "from others",
        ],
        [
            [
                f"{share:.3f}"
                for share in (
                    limits.in_dictionary,
                    *limits.within_edits,
                    limits.lookahead,
                    limits.lookahead_others,
                )
            ]
        ],
    )
    if details:
        for row in result.rows:
            show.table(row.name, row.report.columns(), row.report.cells())


def _drawn(paths: list[str], limit: int | None, seed: int) -> list[Any]:
    from pyfastlm.qac.reader import read_amazonqac
    from pyfastlm.qac.split import one_prefix, sample

    found = list(read_amazonqac(paths))
    if any(row.popularity is not None for row in found):
        found = one_prefix(found, seed=seed)
    return found if limit is None else sample(found, limit, seed=seed)
