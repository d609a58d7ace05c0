"""``pyfastlm spell build``: a catalogue to an index of names that resemble each other."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from pyfastlm.cli.spell_options import Catalogue, CatalogueFormat, Json

if TYPE_CHECKING:
    from pyfastlm.index import TermIndex


def command(
    catalogue: Catalogue,
    index: Annotated[Path, typer.Argument(help="Index to write.", show_default=False)],
    english: Annotated[
        Path | None,
        typer.Option(help="Write an index of 82,834 English words there, too.", show_default=False),
    ] = None,
    format: CatalogueFormat = None,
    json: Json = False,
) -> None:
    """Build the index of a catalogue, and of English.

    Names are compared in NFKC, case folded, with single spaces; of a name that comes several times the
    popularities are added. An index appears whole or not at all, and replaces what was there before.

    \b
    Example:
        pyfastlm spell build names.tsv names.index --english english.index
    """
    from pyfastlm.cli import show
    from pyfastlm.errors import InputError
    from pyfastlm.index import TermIndex
    from pyfastlm.spelling import build_english, read_catalogue
    from pyfastlm.spelling.catalogue.reading import Format

    if english is not None and english.absolute() == index.absolute():
        raise InputError(f"english: expected another file than the index, got {os.fspath(english)!r}")
    start = time.perf_counter()
    built = TermIndex.build(
        read_catalogue(catalogue, format=cast(Format | None, format)),  # which checks it
        index,
        normalizer="nfkc_casefold",
        duplicates="sum",
        similar=True,
    )
    found = [_about("index", index, built, time.perf_counter() - start)]
    if english is not None:
        start = time.perf_counter()
        found.append(_about("english", english, build_english(english), time.perf_counter() - start))
    if json:
        show.as_json({one.pop("name"): one for one in found})
        return
    show.table(
        "Written",
        ["file", "names", "bytes", "seconds"],
        [
            [str(one["path"]), f"{one['terms']:,}", f"{one['bytes']:,}", f"{one['seconds']:.2f}"]
            for one in found
        ],
    )


def _about(name: str, path: Path, index: "TermIndex", seconds: float) -> dict[str, Any]:
    return {
        "name": name,
        "path": path,
        "terms": len(index),
        "bytes": os.stat(path).st_size,
        "seconds": seconds,
    }
