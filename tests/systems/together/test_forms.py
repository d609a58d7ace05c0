"""What is read off a request of DSPy's adapters, and that what comes back parses, whatever the model says."""

import enum
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import small_engine

from pyfastlm.together import Choice, Forced, Free, Shaped
from pyfastlm.together.chat_fields import Field, fields, options, plan, schema
from pyfastlm.together.json_fields import plan as json_plan

ASKING = "Respond with the corresponding output fields, starting with the field {}, and then ending with the "
ASKING += "marker for `[[ ## completed ## ]]`."


def asking(*named: str) -> str:
    return ASKING.format(", then ".join(named))


def test_fields_of_a_message() -> None:
    text = asking(
        "`[[ ## why ## ]]`",
        "`[[ ## n ## ]]` (must be formatted as a valid Python int)",
        "`[[ ## a ## ]]` (must be formatted as a valid Python Literal['x, then y', \"it's\"])",
    )
    found = fields("", f"[[ ## q ## ]]\nhi\n\n{text}")
    assert found == (Field("why", "str"), Field("n", "int"), Field("a", "Literal['x, then y', \"it's\"]"))
    assert options(found[2]) == ("x, then y", "it's")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Respond with the corresponding output fields",
        asking("`[[ ## a ## ]]`") + " And more.",
        asking("`[[ ## a ## ]]` or so"),
        asking("`[[ ## a b ## ]]`"),
    ],
)
def test_messages_that_do_not_ask_so(text: str) -> None:
    assert fields("", text) == ()


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_text_breaks_the_reading(name: str, text: str) -> None:
    for message in (text, asking(f"`[[ ## {name} ## ]]`{text}"), asking(text)):
        for field in fields(text, message):
            options(field)
            schema(field)


@pytest.mark.parametrize(
    ("kind", "note", "expected"),
    [
        ("bool", "", ("True", "False")),
        ("Literal['a', 'b']", "", ("a", "b")),
        ("Literal[1, 2]", "", ("1", "2")),
        ("Literal['a', ' b']", "", ()),
        ("Literal[x]", "", ()),
        ("Literal['a'", "", ()),
        ("E", "must be one of: x1; x2", ("x1", "x2")),
        ("str", "", ()),
    ],
)
def test_closed_sets(kind: str, note: str, expected: Any) -> None:
    assert options(Field("a", kind, note)) == expected


def test_a_plan() -> None:
    listed = 'must adhere to the JSON schema: {"type": "array"}'
    found = plan([Field("a", "str"), Field("b", "bool"), Field("c", "list[str]", listed), Field("d", "int")])
    assert found[0] == Forced("[[ ## a ## ]]\n")
    assert isinstance(found[1], Free)
    assert found[2:4] == (Forced("\n\n[[ ## b ## ]]\n"), Choice("b", ("True", "False")))
    assert found[5] == Shaped("c", '{"type": "array"}', "\n")
    assert found[6:] == (
        Forced("\n[[ ## d ## ]]\n"),
        Shaped("d", '{"type": "integer"}', "\n"),
        Forced("\n[[ ## completed ## ]]\n"),
    )


def test_a_json_plan() -> None:
    wanted = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/E"}, "c": {"type": "boolean"}},
        "$defs": {"E": {"enum": ["x", 2]}},
    }
    found = json_plan({"type": "json_schema", "schema": wanted})
    assert found[0] == Forced('{\n  "a": ')
    assert isinstance(found[1], Shaped)
    assert found[1].closing == ","
    assert found[2:] == (
        Forced('\n  "b": '),
        Choice("b", ('"x"', "2")),
        Forced(',\n  "c": '),
        Choice("c", ("true", "false")),
        Forced("\n}"),
    )
    assert json_plan({"type": "json_object"}) == (Shaped("", '{"type": "object"}'),)
    assert isinstance(json_plan({"type": "json_schema", "schema": {"type": "array"}})[0], Shaped)


class Size(enum.Enum):
    SMALL = "small one"
    LARGE = "large one"


def everything() -> Any:
    import dspy
    import pydantic

    class Pair(pydantic.BaseModel):
        a: int = pydantic.Field(ge=0, le=99)
        b: list[Literal["x", "y"]] = pydantic.Field(min_length=1, max_length=2)

    class Everything(dspy.Signature):
        """Do it."""

        q: str = dspy.InputField()
        why: str = dspy.OutputField()
        size: Size = dspy.OutputField()
        fits: bool = dspy.OutputField()
        colour: Literal["red", "green"] = dspy.OutputField()
        number: Literal[1, 2, 3] = dspy.OutputField()
        pair: Pair = dspy.OutputField()

    return Everything


@pytest.mark.parametrize("adapter", ["ChatAdapter", "JSONAdapter"])
def test_whatever_the_model_says_it_parses(adapter: str) -> None:
    """Random weights, drawn at a high temperature: nothing that they write has a form of its own."""
    dspy = pytest.importorskip("dspy")
    pytest.importorskip("llguidance")
    engine = small_engine(field_tokens=10)
    lm = dspy.LM(engine.model_id, engine=engine, cache=False, temperature=1.5, max_tokens=1000)
    made = {"use_json_adapter_fallback": False} if adapter == "ChatAdapter" else {}
    form = "chat fields" if adapter == "ChatAdapter" else "json_schema"
    with dspy.context(lm=lm, adapter=getattr(dspy, adapter)(**made)):
        for number in range(2):
            found = dspy.Predict(everything())(q=f"presto {number}")
            response = lm.history[-1]["response"]
            assert response.provider_data["form"] == form
            assert 0 <= found.pair.a <= 99
            assert set(found.pair.b) <= {"x", "y"}
            assert found.size in Size
            assert isinstance(found.why, str)
            assert {"size", "fits", "colour", "number"} <= response.provider_data["choices"].keys()
            if adapter == "JSONAdapter":
                json.loads(response.text)
