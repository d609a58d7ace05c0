"""What the commands that serve a page share."""

from collections.abc import Callable
from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")]
Host = Annotated[str, typer.Option(help="Address to listen at; by default only this machine can connect.")]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Requests a second that one address may make, 0 for no limit; by default 50, and no limit "
        "for this machine's own.",
        show_default=False,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        help="Name by which browsers may call this server, besides localhost and addresses; may be given "
        "several times. By default none at a loopback address, and any elsewhere.",
        show_default=False,
    ),
]


def announced(count: int, what: str) -> Callable[[str], None]:
    """Says once on standard output what is served where."""

    def started(address: str) -> None:
        print(f"Serving {count:,} {what} at {address} (Ctrl-C ends it)", flush=True)

    return started
