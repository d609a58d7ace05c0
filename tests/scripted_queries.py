"""A corpus with two gold queries, and a language model that writes what the prompt deserves."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from preferences import small_lm

from pyfastlm.ir import Collection, Prompt
from pyfastlm.ir.generation import generator
from pyfastlm.lm.continuing import Continuation

THINGS = ["sail", "shell", "rudder", "violin", "snail", "crab", "cloth", "blade"]
PARTS = ["hard", "outer", "large", "small"]
CORPUS = {f"{thing} {part}": f"a {part} {thing} with a bow" for thing in THINGS for part in PARTS}
GOLD = Collection(
    "gold",
    {"q1": "find a large sail please", "q2": "find the small crab please"},
    CORPUS,
    {
        "q1": {"sail large": 2, "sail small": 1, "blade large": 0},
        "q2": {"crab small": 1, "crab hard": 0, "shell small": 0},
    },
    pooled=True,
)
GOOD, BAD = Prompt("Be good."), Prompt("Be bad.")


def scripted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A model that names the thing of the document, or writes nothing; and how often it was asked."""
    tokenizer = small_lm().tokenizer
    asked: list[int] = []

    def continued(runner: object, prompts: Sequence[Any], **_: object) -> Iterator[Continuation]:
        asked.append(len(prompts))
        for number, prompt in enumerate(prompts):
            text = tokenizer.decode(prompt)
            words = text.rpartition("Document: a ")[2].split()
            answer = f"{words[1]} {words[0]} {number}" if "Be good" in text else "..."
            yield Continuation(number, tuple(tokenizer(answer)["input_ids"]), True)

    monkeypatch.setattr(generator, "continued", continued)
    return asked
