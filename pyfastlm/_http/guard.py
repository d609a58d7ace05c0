"""What stands before the application: limits on every request, and headers on every answer."""

import math
import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyfastlm._http.rate import Buckets, is_loopback
from pyfastlm._http.refused import Refused
from pyfastlm.errors import InputError

RATE = 50.0  # requests a second of one address, other than this machine's
BURST_SECONDS = 4.0  # of the rate, that an address may use at once
MOST_TARGET_BYTES = 32 << 10  # path and query string as sent; all texts at their limits fit in
BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """An ASGI application around ``app``.

    Args:
        app: what answers the requests that are let through.
        hosts: names that the Host header may have besides ``localhost`` and addresses, so that no foreign
            name that is made to point here (DNS rebinding) reads answers; None: any name.
        limits: how often an address may ask; None: as often as it likes.
        free_loopback: this machine may ask as often as it likes.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] | None, limits: Buckets | None, free_loopback: bool
    ) -> None:
        self._app = app
        self._hosts = None if hosts is None else {"localhost", *(host.lower() for host in hosts)}
        self._limits = limits
        self._free_loopback = free_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message.setdefault("headers", [])).update(HEADERS)
            await send(message)

        try:
            self._check(scope)
        except Refused as refused:
            await refusal(refused)(scope, receive, sending)
        else:
            await self._app(scope, receive, sending)

    def _check(self, scope: Scope) -> None:
        if self._limits is not None and scope["client"]:
            address = scope["client"][0]
            if not (self._free_loopback and is_loopback(address)) and (wait := self._limits.wait(address)):
                reason = f"too many requests: expected at most {self._limits.rate:g} a second"
                raise Refused(429, reason, {"retry-after": str(wait)})
        path, query_string = scope.get("raw_path") or b"", scope["query_string"]
        if (size := len(path) + len(query_string)) > MOST_TARGET_BYTES:
            raise Refused(414, f"address: expected at most {MOST_TARGET_BYTES} bytes, got {size}")
        if BROKEN.search(path) or "\ufffd" in scope["path"]:
            raise Refused(400, "path: expected percent-encoded UTF-8, got other bytes")
        headers = Headers(scope=scope)
        if self._hosts is not None and not self._is_allowed(headers.get("host", "")):
            raise Refused(400, "Host: expected an address or a name of this server, got another name")
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        if has_body and scope["method"] in ("GET", "HEAD"):
            raise Refused(413, f"body: expected none in a {scope['method']} request")

    def _is_allowed(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in (self._hosts or ()) or bool(ip_address(name))
        except ValueError:
            return False


def guarded(app: ASGIApp, *, rate: float | None, hosts: Collection[str] | None) -> Guard:
    """``app`` behind a guard; without a ``rate`` that of ``RATE``, which this machine is free of.

    Raises:
        InputError: the rate is no finite number of 0 or more; 0 is no limit.
    """
    if rate is not None and not (math.isfinite(rate) and rate >= 0):
        raise InputError(f"rate: expected requests a second, 0 or more, got {rate!r}")
    each = RATE if rate is None else rate
    limits = Buckets(each, max(1.0, each * BURST_SECONDS)) if each else None
    return Guard(app, hosts=hosts, limits=limits, free_loopback=rate is None)


def refusal(refused: Refused) -> JSONResponse:
    """The answer that says why."""
    headers = {"cache-control": "no-store", **refused.headers}
    return JSONResponse({"error": refused.reason}, refused.status, headers)
