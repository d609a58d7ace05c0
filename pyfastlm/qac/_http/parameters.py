"""The query string of a request, read strictly: what is not understood is refused and never guessed."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from pyfastlm.qac.ladder import AUTO, MODES

MOST_CHARACTERS = 200  # of a query, and of each past search
MOST_BYTES = 512  # likewise, in UTF-8
MOST_K = 100
MOST_PAST = 16
FIELDS = ("q", "k", "edits", "mode", "past")
EDITS = {"auto": AUTO, "0": 0, "1": 1, "2": 2}

BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NUMBER = re.compile(r"[0-9]{1,6}")


class Refused(Exception):
    """A request that gets an error of the client: its status, and one line that says why."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}


class Asked(NamedTuple):
    """What one request to ``/complete`` asks for."""

    query: str
    k: int
    edits: int
    mode: str
    past: list[str]


def read(query_string: bytes) -> Asked:
    """The parameters ``q``, ``k``, ``edits``, ``mode``, and ``past``, which may come several times.

    Raises:
        Refused: with status 400, or 414 where a text is too long.
    """
    given: dict[str, list[str]] = {}
    for name, value in _pairs(query_string):
        if name not in FIELDS:
            raise Refused(400, f"parameters: expected {', '.join(FIELDS)}, got {name[:40]!r}")
        given.setdefault(name, []).append(value)
    past = given.pop("past", [])
    if repeated := [name for name, values in given.items() if len(values) > 1]:
        raise Refused(400, f"{repeated[0]}: expected once, got {len(given[repeated[0]])} times")
    one = {name: values[0] for name, values in given.items()}
    if "q" not in one:
        raise Refused(400, "q: expected what was typed, got nothing")
    if len(past) > MOST_PAST:
        raise Refused(400, f"past: expected at most {MOST_PAST} searches, got {len(past)}")
    return Asked(
        _text("q", one["q"]),
        _k(one.get("k", "10")),
        EDITS[_one_of("edits", one.get("edits", "auto"), tuple(EDITS))],
        _one_of("mode", one.get("mode", MODES[-1]), MODES),
        [text for search in past if (text := _text("past", search).strip())],
    )


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        text = query_string.decode("ascii")
        if BROKEN.search(text):
            raise Refused(400, "query string: expected two hexadecimal digits after every %")
        return parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=len(FIELDS) + MOST_PAST
        )
    except UnicodeDecodeError:
        raise Refused(400, "query string: expected percent-encoded UTF-8, got other bytes") from None
    except ValueError:
        raise Refused(400, f"query string: expected at most {len(FIELDS) + MOST_PAST} fields") from None


def _text(name: str, value: str) -> str:
    if len(value) > MOST_CHARACTERS:
        raise Refused(414, f"{name}: expected at most {MOST_CHARACTERS} characters, got {len(value)}")
    if (size := len(value.encode())) > MOST_BYTES:
        raise Refused(414, f"{name}: expected at most {MOST_BYTES} bytes of UTF-8, got {size}")
    if CONTROL.search(value):
        raise Refused(400, f"{name}: expected no control characters")
    return value


def _k(value: str) -> int:
    if not NUMBER.fullmatch(value) or not 1 <= int(value) <= MOST_K:
        raise Refused(400, f"k: expected a whole number from 1 to {MOST_K}, got {value[:40]!r}")
    return int(value)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise Refused(400, f"{name}: expected one of {', '.join(choices)}, got {value[:40]!r}")
    return value
