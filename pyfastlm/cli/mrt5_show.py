"""``pyfastlm mrt5 show``: which bytes a gate deletes, as a page."""

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer


def command(
    model: Annotated[
        str,
        typer.Argument(help="Directory of a model or of a training run, or a hub id.", show_default=False),
    ],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS",
            help="LANGUAGE=FILE, or FILE named by its language: .txt (one text a line), .jsonl, .parquet.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path(
        "deleted.html"
    ),
    count: Annotated[int, typer.Option(min=1, help="Texts of each language, the first ones.")] = 5,
    max_length: Annotated[int, typer.Option(min=2, help="Ids read of a text, EOS included.")] = 1024,
    text_key: Annotated[str, typer.Option(help="JSON key or Parquet column of the text.")] = "text",
    batch_size: Annotated[int, typer.Option(min=1, help="Texts run at once.")] = 8,
    json: Annotated[bool, typer.Option("--json", help="Print the rates as JSON.")] = False,
) -> None:
    """Write a page where each byte is shaded by its gate and what is deleted is struck through.

    \b
    Example:
        pyfastlm mrt5 show run en=english.txt ru=russian.txt -o deleted.html
    """
    from pyfastlm.cli import show
    from pyfastlm.mrt5.loading import load_model
    from pyfastlm.mrt5.show import check_page, look, rates, write_page
    from pyfastlm.mrt5.texts import read_texts

    check_page(output)
    chosen = [
        (language, text)
        for language, found in read_texts(texts, text_key=text_key).items()
        for text in islice(found, count)
    ]
    shown = look(load_model(model), chosen, max_length=max_length, batch_size=batch_size, progress=True)
    page = write_page(output, shown, model=model)
    by_language = rates(shown)
    if json:
        show.as_json({"page": page, "model": model, "rates": [asdict(rate) for rate in by_language]})
        return
    show.table(
        f"Deleted by {model}",
        ["language", "texts", "bytes", "characters", "deleted"],
        [
            [rate.language, f"{rate.texts}", f"{rate.bytes:,}", f"{rate.characters:,}", f"{rate.deleted:.1%}"]
            for rate in by_language
        ],
    )
    print(f"page: {page}")
