"""``pyfastlm spell serve``: a page that shows what becomes of a query."""

import contextlib
from typing import Annotated

import typer

from pyfastlm.cli.serve_options import AllowHost, Host, Port, Rate, announced
from pyfastlm.cli.spell_options import English, Exclude, Index, OddsFile, Threshold, speller_of


def command(
    index: Index,
    english: English = None,
    odds: OddsFile = None,
    threshold: Threshold = None,
    exclude: Exclude = None,
    port: Port = 8080,
    host: Host = "127.0.0.1",
    rate: Rate = None,
    allow_host: AllowHost = None,
    adding: Annotated[
        bool | None,
        typer.Option(
            "--adding/--no-adding",
            help="Whether names may be added; by default at a loopback address only.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve a page that corrects what is typed, and a JSON endpoint, until interrupted.

    Names that are added on the page or by POST are known to the next query; they end with the server.

    \b
    Example:
        pyfastlm spell serve names.index --english english.index
        curl 'http://127.0.0.1:8080/correct?q=wirless+hedphones'
        curl --json '{"name": "zyrkom kettle"}' http://127.0.0.1:8080/names
    """
    from pyfastlm.spelling import serve

    speller = speller_of(index, english, odds, threshold, 1, exclude or ())
    with contextlib.suppress(KeyboardInterrupt):
        serve(
            speller,
            port,
            host,
            adding=adding,
            rate=rate,
            hosts=allow_host,
            started=announced(len(speller.index), "names"),
        )
