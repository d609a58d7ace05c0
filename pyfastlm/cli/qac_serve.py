"""``pyfastlm qac serve``: a page to type in."""

import contextlib
from typing import Annotated

import typer

from pyfastlm.cli.serve_options import AllowHost, Host, Port, Rate, announced


def command(
    index: Annotated[str, typer.Argument(help="Index to serve.", show_default=False)],
    port: Port = 8080,
    host: Host = "127.0.0.1",
    rate: Rate = None,
    allow_host: AllowHost = None,
) -> None:
    """Serve a page to type in, and a JSON endpoint, until interrupted.

    \b
    Example:
        pyfastlm qac serve terms.index --port 8080
        curl 'http://127.0.0.1:8080/complete?q=coffe&past=french+press'
    """
    from pyfastlm.index import TermIndex
    from pyfastlm.qac import serve

    terms = TermIndex.open(index)
    with contextlib.suppress(KeyboardInterrupt):
        serve(terms, port, host, rate=rate, hosts=allow_host, started=announced(len(terms), "terms"))
