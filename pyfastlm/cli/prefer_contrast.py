"""``pyfastlm prefer contrast``: how much the answers of pairs differ."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    pairs: Annotated[
        list[str],
        typer.Argument(
            help="Files of pairs, one for each builder: JSON lines {prompt, chosen, rejected}, texts or "
            "messages; also .gz, .zst.",
            show_default=False,
        ),
    ],
    page: Annotated[
        Path | None, typer.Option(help="File for the tables and examples, as Markdown.", show_default=False)
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Pairs of each builder shown there.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure word Jaccard, edits, lengths and spans of change between chosen and rejected answers.

    \b
    Example:
        pyfastlm prefer contrast clair.jsonl stronger.jsonl --page contrast.md
    """
    from pyfastlm.cli import show
    from pyfastlm.preference.contrast import contrast_report, tables, write_page
    from pyfastlm.preference.files import read_pairs

    if page is not None and not page.parent.is_dir():
        raise typer.BadParameter(f"no such directory: {str(page.parent)!r}", param_hint="--page")
    if len({*pairs}) < len(pairs):
        raise typer.BadParameter("expected each file once", param_hint="PAIRS")
    given = {path: read_pairs(path) for path in pairs}
    found = {path: contrast_report(each, seed=seed, progress=True) for path, each in given.items()}
    if page is not None:
        write_page({path: (given[path], found[path]) for path in pairs}, page, examples=examples)
    if json:
        show.as_json({"builders": {path: report.as_dict() for path, report in found.items()}})
        return
    for table in tables(found):
        show.table(table.title, table.columns, table.rows)
        print(table.note)
