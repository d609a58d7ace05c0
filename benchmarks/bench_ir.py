"""Queries for documents: the plain loop, padded batches, and QueryGenerator; equal answers asserted.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_ir.py --benchmark-json=out.json

SmolLM2-135M in float32, greedy; 128 tokens of each of 32 documents of Cranfield, with an instruction alone
and with two examples (some 200 tokens), and 32 definitions of WordNet (of some 15 tokens; needs the directory
in PYFASTLM_WORDNET or Debian's package); queries of one line and 24 tokens at most; how many differ is
printed. The longer what all prompts share, and the longer the queries, the more is gained. "loop" is
``generate`` of transformers for one document after the other, with its cache; "padded" the same for 32 at a
time, padded on the left; "pyfastlm" is QueryGenerator with 32 at a time, the instruction read once, without
padding. The queries of the loop and of the generator are equal, all of them; of the padded batches as many as
are printed. PYFASTLM_BENCH_DOCUMENTS sets another number of documents. ``ir_generation.py`` repeats it.
"""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from pyfastlm.ir import Prompt, QueryGenerator
from pyfastlm.ir.data import read_cranfield, wordnet_glosses
from pyfastlm.ir.generation.cleaning import cleaned
from pyfastlm.ir.generation.prompts import Example, rendered, shortened
from pyfastlm.lm import LM, load

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
ROUNDS = int(os.environ.get("PYFASTLM_BENCH_ROUNDS", "1"))
DATA = Path(__file__).parents[2] / "shared" / "data" / "ir"
WORDNET = Path(os.environ.get("PYFASTLM_WORDNET", "/usr/share/wordnet"))
DOCUMENTS = int(os.environ.get("PYFASTLM_BENCH_DOCUMENTS", "32"))
BATCH = 32
TOKENS, DOCUMENT_TOKENS = 24, 128
SHORT = Prompt(
    "You are an engineer who looks for reports in a library. Write one question, a single line, that this "
    "document answers and others do not.",
    "Question:",
)
PROMPTS = {
    "definitions": Prompt("Write the word that this definition explains.", "Word:"),
    "instruction": SHORT,
    "two examples": Prompt(
        SHORT.instruction,
        SHORT.cue,
        (
            Example(
                "the pressure distribution on a sphere in slow viscous flow is computed by a series and "
                "compared with measurements in glycerine . the drag is four per cent above that of stokes .",
                "how large is the drag of a sphere in slow viscous flow ?",
            ),
            Example(
                "thin plates that are heated on one side buckle . a simple theory for clamped edges "
                "gives the temperature at which they do , and tests on steel agree with it .",
                "at what temperature does a clamped rectangular plate buckle ?",
            ),
        ),
    ),
}


@pytest.fixture(scope="module")
def lm() -> LM:
    return load("smollm2")


def documents(group: str) -> dict[str, str] | None:
    """To write for; None where the data are not there."""
    home = WORDNET if group == "definitions" else DATA
    if not home.is_dir():
        return None
    corpus = (wordnet_glosses(home) if group == "definitions" else read_cranfield(home)).corpus
    return {name: corpus[name] for name in [*corpus][:DOCUMENTS]}


def texts(lm: LM, prompt: Prompt, given: dict[str, str]) -> list[str]:
    short = shortened([*given.values()], lm.tokenizer, DOCUMENT_TOKENS)
    return [rendered(prompt, text, lm.tokenizer) for text in short]


class Line:
    """Ends ``generate`` where each row has a line."""

    def __init__(self, tokenizer: Any, start: int) -> None:
        self.tokenizer, self.start = tokenizer, start

    def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        rows = self.tokenizer.batch_decode(ids[:, self.start :], skip_special_tokens=True)
        return torch.tensor(["\n" in row.lstrip() for row in rows])


def generated(lm: LM, some: list[str]) -> list[str]:
    """By transformers, together, padded on the left."""
    tokenizer = lm.tokenizer
    tokenizer.padding_side = "left"
    given = tokenizer(some, return_tensors="pt", padding=True, add_special_tokens=False)
    start = given["input_ids"].shape[1]
    with torch.inference_mode():
        out = lm.model.generate(
            **given,
            do_sample=False,
            max_new_tokens=TOKENS,
            pad_token_id=tokenizer.eos_token_id,
            stopping_criteria=[Line(tokenizer, start)],
        )
    return [cleaned(text) for text in tokenizer.batch_decode(out[:, start:], skip_special_tokens=True)]


def by_loop(lm: LM, prompt: Prompt, given: dict[str, str]) -> list[str]:
    return [query for text in texts(lm, prompt, given) for query in generated(lm, [text])]


def padded(lm: LM, prompt: Prompt, given: dict[str, str]) -> list[str]:
    every = texts(lm, prompt, given)
    return [query for at in range(0, len(every), BATCH) for query in generated(lm, every[at : at + BATCH])]


def by_generator(lm: LM, prompt: Prompt, given: dict[str, str]) -> list[str]:
    found = QueryGenerator(
        lm, prompt, max_tokens=TOKENS, document_tokens=DOCUMENT_TOKENS, batch_size=BATCH, copy_limit=1
    ).generate(given)
    kept = {each.document: each.text for each in found.queries}
    others = {each.document: cleaned(each.text) for each in found.rejected}  # duplicates
    return [(kept | others)[name] for name in given]


WAYS = {"loop": by_loop, "padded": padded, "pyfastlm": by_generator}
answers: dict[str, list[str]] = {}


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("peer", WAYS)
@pytest.mark.parametrize("group", PROMPTS)
def test_queries(group: str, peer: str, lm: LM, benchmark: Any) -> None:
    benchmark.group = group
    given = documents(group)
    if given is None:
        pytest.skip("needs ../shared/data/ir, or WordNet")
    found = benchmark.pedantic(WAYS[peer], (lm, PROMPTS[group], given), rounds=ROUNDS)
    loop = answers.setdefault(group, found)
    equal = sum(a == b for a, b in zip(found, loop, strict=True))
    distinct = len(set(loop))
    benchmark.extra_info |= {"equal": equal, "distinct": distinct}
    print(f"\n{group}, {peer}: {equal} of {len(loop)} equal to the loop's, {distinct} different queries")
    assert peer == "padded" or found == loop
