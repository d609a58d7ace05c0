"""The answer that DSPy's ChatAdapter asks for, read off its last line: which fields, and which are closed."""

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

from pyfastlm.together.segments import Choice, Forced, Free, Plan, Segment

# A line that begins as the header of a field does, or as small models garble it: "[## answer ## ]". Lines are
# those of str.splitlines, by which the adapter reads them.
NEXT_HEADER = r"(?:^|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])[ \t]*\[{1,2} ?##"

_ASKING = re.compile(
    r"Respond with the corresponding output fields, starting with the field (.+), "
    r"and then ending with the marker for `\[\[ ## completed ## \]\]`\.\s*\Z",
    re.DOTALL,
)
_FIELD = re.compile(
    r"`\[\[ ## (?P<name>\w+) ## \]\]`(?: \(must be formatted as a valid Python (?P<kind>.+?)\))?"
    r"(?=, then `\[\[ ## \w+ ## \]\]`|\Z)",
    re.DOTALL,
)


class Field(NamedTuple):
    """An output field; ``kind`` is the name of its Python type, "str" where none is given."""

    name: str
    kind: str


def fields(text: str) -> tuple[Field, ...]:
    """The fields that a message asks for at its end; none where it does not ask as ChatAdapter does."""
    asked = _ASKING.search(text)
    if asked is None:
        return ()
    found = [*_FIELD.finditer(asked[1])]
    if ", then ".join(match[0] for match in found) != asked[1]:
        return ()
    return tuple(Field(match["name"], match["kind"] or "str") for match in found)


def options(kind: str) -> tuple[str, ...]:
    """What a field of this type can be, as text; empty where that is no closed set."""
    if kind == "bool":
        return "True", "False"
    if not kind.startswith("Literal["):
        return ()
    try:
        values = ast.literal_eval(kind.removeprefix("Literal"))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ()
    texts = tuple(dict.fromkeys(str(value) for value in values))
    return texts if all(text and text == text.strip() for text in texts) else ()


def plan(asked: Sequence[Field]) -> Plan:
    """Headers are given; a field with a closed set of options is chosen, any other is written."""
    segments: list[Segment] = []
    before = ""
    for field in asked:
        segments.append(Forced(f"{before}[[ ## {field.name} ## ]]\n"))
        closed = options(field.kind)
        segments.append(Choice(field.name, closed) if closed else Free(field.name, NEXT_HEADER))
        before = "\n\n"
    return (*segments, Forced(f"{before}[[ ## completed ## ]]\n"))
