"""A page to type in and a JSON endpoint, over one index."""

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pyfastlm._http.rate import own_names
from pyfastlm._require import require
from pyfastlm.index import TermIndex

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def app(
    index: TermIndex | str | os.PathLike[str],
    *,
    rate: float | None = None,
    hosts: Collection[str] | None = (),
) -> "ASGIApp":
    """The ASGI application: ``/``, ``/complete``, ``/health``; GET and HEAD only.

    ``/complete?q=&k=&edits=&mode=&past=`` answers with JSON: ``query``, ``suggestions`` (each with ``term``,
    ``score``, ``stage`` and ``distance``, best first) and ``microseconds``, of looking up and reordering.
    What is refused gets a status of 4xx and ``error``, one line. ``past`` may come several times, the last
    search last.

    Args:
        index: the terms, or the path of their file.
        rate: requests a second that one address may make, with four seconds' worth at once; 0 for no limit.
            By default 50, and no limit for this machine's own.
        hosts: names that the Host header may have, besides ``localhost`` and addresses; None for any.

    Raises:
        MissingExtra: Starlette is not installed.
        InputError: an argument is not what it should be, or the file is not an index.
        OSError: the file cannot be read.
    """
    require("starlette", "qac")
    from pyfastlm._http.guard import guarded
    from pyfastlm.qac._http.application import routes

    terms = index if isinstance(index, TermIndex) else TermIndex.open(index)
    return guarded(routes(terms), rate=rate, hosts=hosts)


def serve(
    index: TermIndex | str | os.PathLike[str],
    port: int = 8080,
    host: str = "127.0.0.1",
    *,
    rate: float | None = None,
    hosts: Collection[str] | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve :func:`app` until interrupted.

    Args:
        index: the terms, or the path of their file.
        port: 0 for any that is free.
        host: the address to listen at; by default only this machine can connect.
        rate: as in :func:`app`.
        hosts: as in :func:`app`; by default none at a loopback address, and any elsewhere.
        started: called with the address of the page once connections are accepted.

    Raises:
        MissingExtra: Starlette or uvicorn is not installed.
        InputError: an argument is not what it should be, or the file is not an index.
        OSError: the file cannot be read, or the port is taken.
    """
    require("uvicorn", "qac")
    require("starlette", "qac")
    from pyfastlm._http.serving import run

    run(app(index, rate=rate, hosts=own_names(host, hosts)), port, host, started)
