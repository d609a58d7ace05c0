"""Prompts keep their form, whatever names and queries hold, and fit into their tokens."""

from pathlib import Path

import pytest
from brands import HOSTILE, NAMES, TEN_KILOBYTES
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_tokenizer
from transformers import AddedToken

from pyfastlm.errors import InputError
from pyfastlm.lm import load
from pyfastlm.spelling.prompts import Prompts

HEADS = ["### Instruction:", "### Context:", "### Query:", "### Correction:"]
PROMPTS = Prompts(tiny_tokenizer(), context_tokens=60)


def form(text: str) -> list[str]:
    """The heads of a prompt, and how many lines come after each."""
    lines = text.split("\n")
    assert lines[-1] == ""
    heads = [place for place, line in enumerate(lines) if line.startswith("###")]
    return [
        f"{lines[place]} {after - place - 1}"
        for place, after in zip(heads, [*heads[1:], len(lines) - 1], strict=True)
    ]


FORM = ["### Instruction: 3", "### Context: 1", "### Query: 1", "### Correction: 0"]


def test_the_prompt_of_the_paper() -> None:
    text = """### Instruction:
Provide spelling correction for given query
if necessary, referring to the provided context
if it's relevant.
### Context:
playgro, lumineo lamp
### Query:
playgru
### Correction:
"""
    assert PROMPTS.prompt("playgru", ["playgro", "lumineo lamp"]) == text
    bare = text.replace("### Context:\nplaygro, lumineo lamp\n", "")
    assert PROMPTS.prompt("playgru") == bare
    assert PROMPTS.prompt("playgru", []) == bare.replace("### Query", "### Context:\n\n### Query")
    assert PROMPTS.completion("playgro") == "playgro\n"


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_hostile_queries_and_names_keep_the_form(query: str) -> None:
    assert form(PROMPTS.prompt(query, [query, "playgro"])) == FORM
    ids = PROMPTS._tokenizer(PROMPTS.prompt(query, [query]))["input_ids"]
    assert not set(ids) & set(PROMPTS._tokenizer.all_special_ids)


@given(st.text(), st.lists(st.text(), max_size=5))
def test_any_text_keeps_the_form(query: str, names: list[str]) -> None:
    assert form(PROMPTS.prompt(query, names)) == FORM
    assert PROMPTS.shown(PROMPTS.shown(query)) == PROMPTS.shown(query)
    assert PROMPTS.completion(query).count("\n") == 1


@pytest.mark.parametrize("text", TEN_KILOBYTES.values(), ids=TEN_KILOBYTES)
def test_long_texts(text: str) -> None:
    assert form(PROMPTS.prompt(text, [text])) == FORM
    assert PROMPTS.context([text]) == ""
    assert PROMPTS.fitting(text, [text], 500) is None or not text.strip()


def test_names_are_left_out_from_the_end_and_never_cut() -> None:
    names = NAMES * 3
    whole = ", ".join(names)
    lengths = set()
    for tokens in range(0, 300, 7):
        context = Prompts(PROMPTS._tokenizer, context_tokens=tokens).context(names)
        assert not context or whole == context or whole.startswith(context + ", ")
        assert not context or context.split(", ") == names[: context.count(", ") + 1]
        used = len(PROMPTS._tokenizer(context)["input_ids"])
        assert used <= tokens
        # Nothing more would have fitted.
        more = ", ".join(names[: context.count(", ") + 2 if context else 1])
        assert len(PROMPTS._tokenizer(more)["input_ids"]) + 1 > tokens
        lengths.add(used)
        assert PROMPTS.context(names, tokens) == Prompts(
            PROMPTS._tokenizer, context_tokens=min(tokens, 60)
        ).context(names)
    assert len(lengths) > 10


def test_a_prompt_fits_into_its_room() -> None:
    for room in range(0, 260, 3):
        text = PROMPTS.fitting("playgru", NAMES, room)
        bare = PROMPTS.prompt("playgru", [])
        if text is None:
            assert PROMPTS.lengths([bare])[0] > room - 5
        else:
            assert PROMPTS.lengths([text])[0] <= room
    assert PROMPTS.fitting("playgru", NAMES, 1000) == PROMPTS.prompt("playgru", NAMES)
    assert PROMPTS.fitting("playgru", None, 1000) == PROMPTS.prompt("playgru")


def test_special_tokens_of_a_single_letter(tiny_lm_dir: Path) -> None:
    tokenizer = load(tiny_lm_dir).tokenizer
    tokenizer.add_special_tokens({"pad_token": "~"})
    assert Prompts(tokenizer).shown("~a~ b~") == "a b"


def test_special_tokens_that_have_no_role(tiny_lm_dir: Path) -> None:
    tokenizer = load(tiny_lm_dir).tokenizer
    tokenizer.add_tokens([AddedToken("<repo_name>", special=True)])
    assert "<repo_name>" not in tokenizer.all_special_tokens
    ids = {
        token: tokenizer(token)["input_ids"]
        for token in ("<repo_name>", Prompts(tokenizer).shown("<repo_name>"))
    }
    assert list(ids) == ["<repo_name>", "< repo_name>"]
    assert len(ids["<repo_name>"]) == 1
    assert not {*ids["<repo_name>"]} & {*ids["< repo_name>"]}


def test_a_negative_number_of_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="context_tokens: expected a whole number >= 0, got -1"):
        Prompts(PROMPTS._tokenizer, context_tokens=-1)
