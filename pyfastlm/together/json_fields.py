"""The answer that a JSON schema asks for: keys are given, closed sets chosen, other values written."""

import json
from collections.abc import Mapping
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.together.segments import Choice, Forced, Plan, Segment, Shaped

ANY_OBJECT = json.dumps({"type": "object"})


def plan(response_format: Mapping[str, Any]) -> Plan:
    """What a ``response_format`` of a request asks for; laid out as DSPy's JSONAdapter shows it.

    Every property that the schema names is written, in its order. Without a schema, or where it is not an
    object with properties, the whole is written under it.

    Raises:
        InputError: the schema is damaged.
    """
    if response_format["type"] == "json_object":
        return (Shaped("", ANY_OBJECT),)
    schema = response_format["schema"]
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict) or not properties:
        return (Shaped("", json.dumps(schema)),)
    shared = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    segments: list[Segment] = []
    before = "{\n"
    for number, (name, value) in enumerate(properties.items(), 1):
        if not isinstance(value, dict):
            raise InputError(f"response_format: expected a schema for {name!r}, got {value!r}")
        segments.append(Forced(f"{before}  {json.dumps(name, ensure_ascii=False)}: "))
        last = number == len(properties)
        closing, before = ("\n", "") if last else (",", "\n")
        if options := _options(value, shared):
            segments.append(Choice(name, options))
            before = closing + before
        else:
            segments.append(Shaped(name, json.dumps(value | shared), closing))
    return (*segments, Forced(f"{before}}}"))


def _options(value: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[str, ...]:
    """A closed set of values, each as JSON; empty where it is not closed."""
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith(("#/$defs/", "#/definitions/")):
        _, group, name = reference.split("/", 2)
        found = shared.get(group, {}).get(name)
        value = found if isinstance(found, dict) else {}
    values: Any = [value["const"]] if "const" in value else value.get("enum")
    if values is None and value.get("type") == "boolean":
        values = [True, False]
    if not isinstance(values, list) or any(isinstance(each, dict | list) for each in values):
        return ()
    return tuple(dict.fromkeys(json.dumps(each, ensure_ascii=False) for each in values))
