"""The answer that DSPy's ChatAdapter asks for, read off its last line: which fields, and which are closed."""

import ast
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from pyfastlm.together.segments import Choice, Forced, Free, Plan, Segment, Shaped

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


_ONE_OF, _SCHEMA = "must be one of: ", "must adhere to the JSON schema: "


class Field(NamedTuple):
    """An output field.

    ``kind`` is the name of its Python type, "str" where none is given; ``note`` what the system message says
    about its value.
    """

    name: str
    kind: str
    note: str = ""


def fields(system: str, text: str) -> tuple[Field, ...]:
    """The fields that the last message, ``text``, asks for; none if it does not ask as ChatAdapter does."""
    asked = _ASKING.search(text)
    if asked is None:
        return ()
    found = [*_FIELD.finditer(asked[1])]
    if ", then ".join(match[0] for match in found) != asked[1]:
        return ()
    return tuple(
        Field(match["name"], match["kind"] or "str", _note(system, match["name"])) for match in found
    )


def _note(system: str, name: str) -> str:
    found = re.search(
        rf"^\[\[ ## {name} ## \]\]\n\{{{name}\}} *# note: the value you produce (.+)$", system, re.MULTILINE
    )
    return found[1] if found else ""


def options(field: Field) -> tuple[str, ...]:
    """What a field can be, as text; empty where that is no closed set."""
    if field.kind == "bool":
        return "True", "False"
    values: Sequence[object] = ()
    if field.kind.startswith("Literal["):
        try:
            values = ast.literal_eval(field.kind.removeprefix("Literal"))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return ()
    elif field.note.startswith(_ONE_OF):  # an enumeration; of values with "; " in them the parts are taken
        values = field.note.removeprefix(_ONE_OF).split("; ")
    texts = tuple(dict.fromkeys(str(value) for value in values))
    return texts if all(text and text == text.strip() for text in texts) else ()


def schema(field: Field) -> str:
    """Of a field that is written as JSON; empty where it is not, or where a bare text will do."""
    if field.kind in ("int", "float"):
        return json.dumps({"type": "integer" if field.kind == "int" else "number"})
    if not field.note.startswith(_SCHEMA):
        return ""
    text = field.note.removeprefix(_SCHEMA)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return text if isinstance(found, dict) and found.get("type") in ("array", "object") else ""


def plan(asked: Sequence[Field]) -> Plan:
    """Headers are given; a field with a closed set of options is chosen, any other is written.

    Numbers, lists and objects are written under a schema, texts freely up to what looks like a header.
    """
    segments: list[Segment] = []
    before = ""
    for field in asked:
        segments.append(Forced(f"{before}[[ ## {field.name} ## ]]\n"))
        before = "\n\n"
        if closed := options(field):
            segments.append(Choice(field.name, closed))
        elif shape := schema(field):
            segments.append(Shaped(field.name, shape, "\n"))
            before = "\n"
        else:
            segments.append(Free(field.name, NEXT_HEADER))
    return (*segments, Forced(f"{before}[[ ## completed ## ]]\n"))
