"""A page to type in and a JSON endpoint, over one index."""

import contextlib
import math
import os
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex

if TYPE_CHECKING:
    from starlette.types import ASGIApp

RATE = 50.0  # requests a second of one address, other than this machine's
BURST_SECONDS = 4.0  # of the rate, that an address may use at once
MOST_CONNECTIONS = 800  # below the usual limit of 1,024 open files
BACKLOG = 1024  # connections that wait to be accepted
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 3


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
    from pyfastlm.qac._http.application import routes
    from pyfastlm.qac._http.guard import Guard
    from pyfastlm.qac._http.rate import Buckets

    if rate is not None and not (math.isfinite(rate) and rate >= 0):
        raise InputError(f"rate: expected requests a second, 0 or more, got {rate!r}")
    each = RATE if rate is None else rate
    limits = Buckets(each, max(1.0, each * BURST_SECONDS)) if each else None
    terms = index if isinstance(index, TermIndex) else TermIndex.open(index)
    return Guard(routes(terms), hosts=hosts, limits=limits, free_loopback=rate is None)


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
    uvicorn = require("uvicorn", "qac")
    require("starlette", "qac")
    from pyfastlm.qac._http.connections import MOST_HEADER_BYTES, Connection
    from pyfastlm.qac._http.rate import is_loopback

    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise InputError(f"port: expected a number from 0 to 65535, got {port!r}")
    if hosts is None and is_loopback(host):
        hosts = ()
    config = uvicorn.Config(
        app(index, rate=rate, hosts=hosts),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # of what hostile clients send there would be a line each
        access_log=False,
        proxy_headers=False,  # a client could name itself anything
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )
    with contextlib.closing(_listen(host, port)) as listener:
        if started is not None:
            started(_address(host, listener.getsockname()[1]))
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = None
    try:
        # With the protocol named: else asyncio leaves Nagle's algorithm on, and every answer waits 40 ms.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except socket.gaierror as error:
        raise InputError(
            f"host: expected an address of this machine, got {host!r} ({error.strerror})"
        ) from None
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"cannot listen at {_address(host, port)}: {reason}") from None
    return listener


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
