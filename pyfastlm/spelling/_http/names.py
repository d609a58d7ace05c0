"""The body of a request that adds a name to the catalogue."""

import json
import math
from typing import Any

from starlette.requests import ClientDisconnect, Request

from pyfastlm._http.fields import text
from pyfastlm._http.refused import Refused
from pyfastlm.spelling.catalogue.entry import Entry

MOST_BODY = 4096  # bytes; a name at its limit fits in, every letter of it escaped
FIELDS = ("name", "popularity")
KIND = "application/json"


async def read(request: Request) -> Entry:
    """``{"name": ..., "popularity": ...}``; a popularity left out is 1.

    The content type must be named: no page of another server can send it without asking first.

    Raises:
        Refused: with status 400, 413 or 414 where it is too long, 415 where it is no JSON by its own account.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != KIND:
        raise Refused(415, f"content-type: expected {KIND}, got {kind[:40]!r}")
    return _entry(await _body(request))


async def _body(request: Request) -> bytes:
    data = b""
    try:
        async for part in request.stream():
            data += part
            if len(data) > MOST_BODY:
                raise Refused(413, f"body: expected at most {MOST_BODY} bytes, got more")
    except ClientDisconnect:
        raise Refused(400, "body: it ended in the middle") from None
    return data


def _entry(data: bytes) -> Entry:
    try:
        value = json.loads(data.decode(), object_pairs_hook=_fields)
    except (ValueError, RecursionError):  # also what is not UTF-8, and numbers of thousands of digits
        raise Refused(400, "body: expected one JSON object in UTF-8, each field once") from None
    if not isinstance(value, dict) or not value.keys() <= set(FIELDS):
        raise Refused(400, f"body: expected an object with {' and '.join(FIELDS)} and nothing else")
    name = value.get("name")
    if not isinstance(name, str):
        raise Refused(400, "name: expected a text")
    return Entry(text("name", name), _popularity(value.get("popularity", 1.0)))


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field comes twice")
    return found


def _popularity(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (OverflowError, TypeError):
        number = math.nan
    if not (number >= 0 and math.isfinite(number)):
        raise Refused(400, "popularity: expected a finite number of 0 or more")
    return number
