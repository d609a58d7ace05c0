"""A page to type in, a JSON endpoint, and a catalogue that grows while they are asked."""

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pyfastlm._http.rate import is_loopback, own_names
from pyfastlm._require import require
from pyfastlm.index import TermIndex
from pyfastlm.spelling.speller import Speller

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def app(
    speller: Speller | TermIndex | str | os.PathLike[str],
    *,
    adding: bool = True,
    rate: float | None = None,
    hosts: Collection[str] | None = (),
) -> "ASGIApp":
    """The ASGI application: ``/``, ``/correct``, ``/names``, ``/health``.

    ``GET /correct?q=`` answers with JSON: ``query``, ``text`` (the query itself where it is left alone),
    ``changed``, ``catalogued`` (the catalogue has all of the query as a name), ``margin`` (null where
    there is nothing else), ``threshold``, ``candidates`` (each with ``text``, ``score`` and ``cost``, best
    first; the query is one of them) and ``microseconds``.

    ``POST /names`` with ``{"name": "...", "popularity": 1}`` as ``application/json`` adds a name, or changes
    its popularity, and the next query knows it. It is kept in memory only: it ends with the server. Answers
    with ``name`` as it is compared, ``popularity``, ``known`` (it was there before), ``names`` (how many
    there are now) and ``microseconds``.

    What is refused gets a status of 4xx and ``error``, one line.

    Args:
        speller: what corrects; or a catalogue, or the path of one, for a :class:`Speller` of its own.
        adding: whether ``/names`` takes names, 10,000 new ones at most.
        rate: requests a second that one address may make, with four seconds' worth at once; 0 for no limit.
            By default 50, and no limit for this machine's own.
        hosts: names that the Host header may have, besides ``localhost`` and addresses; None for any.

    Raises:
        MissingExtra: Starlette is not installed.
        InputError: an argument is not what it should be, or the file is not an index with ``similar=True``.
        OSError: the file cannot be read.
    """
    require("starlette", "spelling")
    from pyfastlm._http.guard import guarded
    from pyfastlm.spelling._http.application import routes

    corrector = speller if isinstance(speller, Speller) else Speller(speller)
    return guarded(routes(corrector, adding=adding), rate=rate, hosts=hosts)


def serve(
    speller: Speller | TermIndex | str | os.PathLike[str],
    port: int = 8080,
    host: str = "127.0.0.1",
    *,
    adding: bool | None = None,
    rate: float | None = None,
    hosts: Collection[str] | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve :func:`app` until interrupted.

    Args:
        speller: as in :func:`app`.
        port: 0 for any that is free.
        host: the address to listen at; by default only this machine can connect.
        adding: as in :func:`app`; by default at a loopback address only: there are no users, so whoever can
            connect can add names.
        rate: as in :func:`app`.
        hosts: as in :func:`app`; by default none at a loopback address, and any elsewhere.
        started: called with the address of the page once connections are accepted.

    Raises:
        MissingExtra: Starlette or uvicorn is not installed.
        InputError: an argument is not what it should be, or the file is not an index with ``similar=True``.
        OSError: the file cannot be read, or the port is taken.
    """
    require("uvicorn", "spelling")
    require("starlette", "spelling")
    from pyfastlm._http.serving import run

    adding = is_loopback(host) if adding is None else adding
    run(app(speller, adding=adding, rate=rate, hosts=own_names(host, hosts)), port, host, started)
