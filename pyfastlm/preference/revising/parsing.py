"""From what a reviser wrote to a revision, or to the reason why there is none."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pyfastlm.preference.asking.completion import Completion
from pyfastlm.preference.builders.outcome import Reason
from pyfastlm.preference.revising.prompt import REASONING, REVISION

LONGEST = 3.0  # times the original's length in characters

# An identifier at the start of a line: in braces or not, marked as Markdown does or not, with a colon or not.
_IDENTIFIER = (
    r"^[ \t>#]*(?P<mark>[*`_]{0,3})(?P<open>\{{0,2})%s(?P<close>\}{0,2})"
    r"(?:(?P=mark)[ \t]*(?P<colon>:)|[ \t]*(?P<inside>:)(?P=mark)|(?P=mark))"
)
BLANK = re.compile(r"[ \t]*$", re.MULTILINE)
CLOSING = str.maketrans("{", "}")
MARKER = re.compile(_IDENTIFIER % REVISION, re.MULTILINE)
OPENING = re.compile(_IDENTIFIER % REASONING, re.MULTILINE)

# What an answer that stands on its own does not say, unless the task or the original does.
MENTION = re.compile(
    rf"\b(?:revis(?:ed|ion|ions|ing)|corrected|corrections?|{REASONING}|(?:corrected_)?student_solution"
    r"|student(?:['’]s)?\s+(?:answer|solution|response))\b|\{task\}",
    re.IGNORECASE,
)
FENCED = re.compile(
    r"(?P<fence>`{3,}|~{3,})[ \t]*(?:text|txt|markdown|md|plaintext)?[ \t]*\n(.*)\n(?P=fence)", re.DOTALL
)
FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)
WRAPS = (('"', '"'), ("“", "”"), ("'", "'"), ("`", "`"), ("{", "}"))


class Revision(NamedTuple):
    """The improved answer, and what the reviser said before it."""

    text: str
    rational: str


class Refusal(NamedTuple):
    """Why there is no revision."""

    reason: Reason
    detail: str = ""


def holds_marker(text: str) -> bool:
    """Whether ``text`` has what begins a revision, so that a copy of it could not be read back."""
    return next(_places(text), None) is not None


def parse(
    completion: Completion | str, task: str, original: str, *, max_ratio: float = LONGEST
) -> Revision | Refusal:
    """The revision in ``completion``: what follows the last marker at the start of a line.

    Braces, a colon and Markdown's marks around the marker are left out, and so is one pair of quotes or
    braces, or a fence without a language, around the whole text, unless the original begins with one too. The
    revision gets the white space around the original, so that a pair does not differ in that.

    Args:
        completion: what the reviser wrote.
        task, original: what it was asked about.
        max_ratio: how many times as long as the original, in characters, a revision may be.
    """
    if isinstance(completion, str):
        completion = Completion(completion)
    if completion.error:
        return Refusal(Reason.FAILED, completion.error)
    whole = completion.text
    if not whole.strip():
        return Refusal(Reason.EMPTY)
    if not completion.finished:
        return Refusal(Reason.CUT_OFF, f"after {len(whole):,} characters")
    places = [*_places(whole)]
    if not places:
        return Refusal(Reason.NO_MARKER, _beginning(whole))
    marker = places[-1]
    body = _unwrapped(whole[marker.end() :].strip(), original.strip())
    if refusal := _refused(body, task, original, max_ratio):
        return refusal
    before, after = _around(original)
    return Revision(before + body + after, _reasoning(whole[: marker.start()]))


def _refused(body: str, task: str, original: str, max_ratio: float) -> Refusal | None:
    if not body:
        return Refusal(Reason.EMPTY, "after the marker")
    if body.split() == original.split():
        return Refusal(Reason.UNCHANGED)
    if len(FENCE.findall(body)) % 2 > len(FENCE.findall(original)) % 2:
        return Refusal(Reason.CUT_OFF, "in a block of code")
    if len(body) > max_ratio * len(original.strip()):
        return Refusal(Reason.TOO_LONG, f"{len(body):,} characters for {len(original.strip()):,}")
    known = {found.casefold() for text in (task, original) for found in MENTION.findall(text)}
    for found in MENTION.findall(body):
        if found.casefold() not in known:
            return Refusal(Reason.MENTIONS, found)
    return None


def _places(text: str) -> Iterator[re.Match[str]]:
    """Markers: an identifier in braces, or with a colon, or alone on its line."""
    for found in MARKER.finditer(text):
        if found["open"].translate(CLOSING) == found["close"] and (
            found["open"] or found["colon"] or found["inside"] or BLANK.match(text, found.end())
        ):
            yield found


def _reasoning(text: str) -> str:
    first = OPENING.search(text)
    return (text[first.end() :] if first and not text[: first.start()].strip() else text).strip()


def _unwrapped(text: str, original: str) -> str:
    fenced = FENCED.fullmatch(text)
    if fenced and not FENCE.match(original) and not FENCE.search(fenced[2]):
        return fenced[2].strip()
    for opening, closing in WRAPS:
        inside = text[1:-1]
        if (
            len(text) > 1
            and text[0] == opening
            and text[-1] == closing
            and not original.startswith(opening)
            and opening not in inside
            and closing not in inside
        ):
            return inside.strip()
    return text


def _around(text: str) -> tuple[str, str]:
    inside = text.strip()
    start = text.index(inside)
    return text[:start], text[start + len(inside) :]


def _beginning(text: str) -> str:
    return " ".join(text.split())[:80]
