"""``pyfastlm qac serve``: a page to type in."""

import contextlib
from typing import Annotated

import typer


def command(
    index: Annotated[str, typer.Argument(help="Index to serve.", show_default=False)],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen at; by default only this machine can connect.")
    ] = "127.0.0.1",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests a second that one address may make, 0 for no limit; by default 50, and no limit "
            "for this machine's own.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Name by which browsers may call this server, besides localhost and addresses; may be given "
            "several times. By default none at a loopback address, and any elsewhere.",
            show_default=False,
        ),
    ] = None,
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

    def started(address: str) -> None:
        print(f"Serving {len(terms):,} terms at {address} (Ctrl-C ends it)", flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        serve(terms, port, host, rate=rate, hosts=allow_host, started=started)
