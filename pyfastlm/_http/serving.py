"""Serve an application until interrupted."""

import contextlib
import os
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from pyfastlm._http.connections import MOST_HEADER_BYTES, Connection
from pyfastlm.errors import InputError

MOST_CONNECTIONS = 800  # below the usual limit of 1,024 open files
BACKLOG = 1024  # connections that wait to be accepted
KEEP_ALIVE_SECONDS = 30
SHUTDOWN_SECONDS = 3


def run(app: ASGIApp, port: int, host: str, started: Callable[[str], None] | None) -> None:
    """Serve ``app``; ``started`` is called with its address once connections are accepted.

    Raises:
        InputError: the port is no number from 0 (any that is free) to 65535, or the host no address of this
            machine.
        OSError: the port is taken.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise InputError(f"port: expected a number from 0 to 65535, got {port!r}")
    config = uvicorn.Config(
        app,
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
