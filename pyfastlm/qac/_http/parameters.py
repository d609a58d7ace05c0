"""The query string of a request for suggestions."""

import re
from typing import NamedTuple

from pyfastlm._http.fields import grouped, once, text
from pyfastlm._http.refused import Refused
from pyfastlm.qac.ladder import AUTO, MODES

MOST_K = 100
MOST_PAST = 16
FIELDS = ("q", "k", "edits", "mode", "past")
EDITS = {"auto": AUTO, "0": 0, "1": 1, "2": 2}

NUMBER = re.compile(r"[0-9]{1,6}")


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
    given = grouped(query_string, FIELDS, len(FIELDS) + MOST_PAST)
    past = given.pop("past", [])
    one = once(given)
    if "q" not in one:
        raise Refused(400, "q: expected what was typed, got nothing")
    if len(past) > MOST_PAST:
        raise Refused(400, f"past: expected at most {MOST_PAST} searches, got {len(past)}")
    return Asked(
        text("q", one["q"]),
        _k(one.get("k", "10")),
        EDITS[_one_of("edits", one.get("edits", "auto"), tuple(EDITS))],
        _one_of("mode", one.get("mode", MODES[-1]), MODES),
        [kept for search in past if (kept := text("past", search).strip())],
    )


def _k(value: str) -> int:
    if not NUMBER.fullmatch(value) or not 1 <= int(value) <= MOST_K:
        raise Refused(400, f"k: expected a whole number from 1 to {MOST_K}, got {value[:40]!r}")
    return int(value)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise Refused(400, f"{name}: expected one of {', '.join(choices)}, got {value[:40]!r}")
    return value
