"""What a request says, read strictly: what is not understood is refused and never guessed."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from pyfastlm._http.refused import Refused

MOST_CHARACTERS = 200  # of a text
MOST_BYTES = 512  # likewise, in UTF-8

BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def grouped(query_string: bytes, names: Sequence[str], most: int) -> dict[str, list[str]]:
    """The values of each field of a query string, in their order.

    Raises:
        Refused: with status 400: it is broken, has more than ``most`` fields, or others than ``names``.
    """
    given: dict[str, list[str]] = {}
    for name, value in _pairs(query_string, most):
        if name not in names:
            raise Refused(400, f"parameters: expected {', '.join(names)}, got {name[:40]!r}")
        given.setdefault(name, []).append(value)
    return given


def once(given: Mapping[str, list[str]]) -> dict[str, str]:
    """The value of each field.

    Raises:
        Refused: with status 400: there are several values of one.
    """
    if repeated := [name for name, values in given.items() if len(values) > 1]:
        raise Refused(400, f"{repeated[0]}: expected once, got {len(given[repeated[0]])} times")
    return {name: values[0] for name, values in given.items()}


def text(name: str, value: str) -> str:
    """``value``.

    Raises:
        Refused: with status 414 where it is too long, 400 where it has control characters or is no Unicode.
    """
    if len(value) > MOST_CHARACTERS:
        raise Refused(414, f"{name}: expected at most {MOST_CHARACTERS} characters, got {len(value)}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Refused(400, f"{name}: expected Unicode, got a lone surrogate in it") from None
    if size > MOST_BYTES:
        raise Refused(414, f"{name}: expected at most {MOST_BYTES} bytes of UTF-8, got {size}")
    if CONTROL.search(value):
        raise Refused(400, f"{name}: expected no control characters")
    return value


def _pairs(query_string: bytes, most: int) -> list[tuple[str, str]]:
    try:
        decoded = query_string.decode("ascii")
        if BROKEN.search(decoded):
            raise Refused(400, "query string: expected two hexadecimal digits after every %")
        return parse_qsl(decoded, keep_blank_values=True, errors="strict", max_num_fields=most)
    except UnicodeDecodeError:
        raise Refused(400, "query string: expected percent-encoded UTF-8, got other bytes") from None
    except ValueError:
        raise Refused(400, f"query string: expected at most {most} fields") from None
