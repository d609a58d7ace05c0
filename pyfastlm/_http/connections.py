"""Connections of clients that are slow, rude or broken.

uvicorn waits without end for the rest of a request, and closes with unread bytes behind its answer, on which
the kernel resets the connection and the client never reads why it was refused.
"""

import asyncio
import json
import sys
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

REQUEST_SECONDS = 10.0  # for a whole request to arrive
LINGER_SECONDS = 2.0  # for a client to stop sending after the last answer
LINGER_BYTES = 16 << 20
MOST_HEADER_BYTES = 64 << 10  # request line and headers


class Lingering:
    """A transport that, when closed, ends its own side and drops for a while what still comes in.

    What is written is sent in the next turn of the loop: headers and body in one packet, which saves a tenth
    of the processor time of a request.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._left = LINGER_BYTES
        self._held: list[bytes] = []
        self.leaving = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def flush(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()

    def is_closing(self) -> bool:
        return self.leaving or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self.leaving = True
        self.flush()
        try:
            self._transport.write_eof()
        except OSError:  # the client has gone
            self._transport.abort()
            return
        self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.abort)

    def drop(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            self._transport.abort()


class Connection(H11Protocol):
    """uvicorn's, with a time limit for requests and an answer that arrives before the end."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = Lingering(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._lingering))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering.leaving:
            self._lingering.drop(len(data))
            return
        super().data_received(data)
        self._stop_watching() if self._between_requests() else self._watch()

    def eof_received(self) -> None:
        self._lingering.flush()
        if not self._lingering.leaving and self._has_part_of_a_request():
            self._refuse(400, "request: it ended in the middle")

    def send_400_response(self, msg: str) -> None:
        """Called for what is no HTTP, by uvicorn, while it handles h11's error."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        reason = {431: f"request: expected at most {MOST_HEADER_BYTES} bytes of headers"}.get(status, msg)
        self._refuse(status, reason)

    def _refuse(self, status: int, reason: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its answer would follow this one
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": reason}).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("connection", "close"),
            ]
            answer = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _has_part_of_a_request(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _between_requests(self) -> bool:
        return not self._has_part_of_a_request() and self.conn.their_state is not h11.SEND_BODY

    def _watch(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._too_slow)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._has_part_of_a_request():
            self._refuse(408, f"request: expected the whole of it within {REQUEST_SECONDS:g} seconds")
        else:
            self.transport.close()
