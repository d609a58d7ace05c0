"""A pass of BootstrapFewShotWithRandomSearch, with keys of prompts kept and without; equal answers asserted.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_together.py --benchmark-json=out.json

SmolLM2-135M in float32, DSPy's ChatAdapter, a program of one module that answers with one of three colours;
four candidate programs (none, labelled demonstrations, bootstrapped ones in order, shuffled), four threads.
Every round is a whole pass with a new engine; loading is not timed.

Two groups. ``fields``, four examples to score each candidate and six to bootstrap from: headers are forced,
the colour is chosen by log-probability; this engine without a cache, and with it. ``free``, one and three:
everything is written, 8 tokens at most; the same two, and ``generate`` of transformers, one call after the
other. (Most free answers do not parse, and score nothing; the calls are made all the same.) All answers of a
group are equal, call by call.

The share of prompt tokens that were not read again is printed, and kept in the JSON. It is a property of the
task: long prompts with short answers gain most, and an engine that only ever sees new prompts gains nothing.
A pass takes a minute. Times are those of the processor, over all threads: quote ratios within one run.
"""

import contextlib
import io
import logging
import os
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import pytest
import torch
from programs import colour_examples

from pyfastlm.lm import load
from pyfastlm.together import Answer, Call, HFEngine

dspy = pytest.importorskip("dspy")
pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
ROUNDS = int(os.environ.get("PYFASTLM_BENCH_ROUNDS", "1"))
EXAMPLES = {"fields": (6, 4), "free": (3, 1)}  # to bootstrap from, and to score
SETTINGS = {"pyfastlm without a cache": {"cache_tokens": 0}, "pyfastlm": {}}
seen: dict[str, Counter[tuple[str, str]]] = {}


class Recorded(HFEngine):
    """Keeps what was asked and answered."""

    def answers(self, calls: Sequence[Call]) -> list[Answer]:
        found = self.made(calls)
        self.record.update((call.prompt, answer.text) for call, answer in zip(calls, found, strict=True))
        return found

    def made(self, calls: Sequence[Call]) -> list[Answer]:
        return super().answers(calls)

    record: Counter[tuple[str, str]]


class Generate(Recorded):
    """``generate`` of transformers, as it is, one call after the other."""

    def made(self, calls: Sequence[Call]) -> list[Answer]:
        with self.exclusive(), torch.inference_mode():
            return [self._one(call) for call in calls]

    def _one(self, call: Call) -> Answer:
        tokens = self.tokenizer.encode(call.prompt)
        made = self.weights.lm.model.generate(
            input_ids=torch.tensor([tokens]),
            attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            do_sample=False,
            max_new_tokens=call.max_tokens,
            pad_token_id=self.tokenizer.ends[0],
        )[0, len(tokens) :].tolist()
        text = self.tokenizer.decode(made)
        return Answer(text, True, call.model_id, len(tokens), 0, len(made), 0)


def program(lm: Any) -> Any:
    class Colour(dspy.Signature):
        """Say which colour fits."""

        thing: str = dspy.InputField()
        colour: Literal["red", "green", "blue"] = dspy.OutputField()

    made = dspy.Predict(Colour)
    made.set_lm(lm)
    return made


def bfrs(engine: HFEngine, bootstrapped: int, scored: int) -> None:
    """One pass, without its chatter."""

    def right(example: Any, prediction: Any, trace: Any = None) -> bool:
        return bool(example.colour == prediction.colour)

    lm = dspy.LM(engine.model_id, engine=engine, cache=False, temperature=0.0, max_tokens=8)
    adapter = dspy.ChatAdapter(use_json_adapter_fallback=False)
    search = dspy.BootstrapFewShotWithRandomSearch(
        metric=right,
        max_bootstrapped_demos=2,
        max_labeled_demos=3,
        num_candidate_programs=1,
        num_threads=4,
        max_errors=1000,
    )
    logging.disable(logging.ERROR)
    try:
        with dspy.context(lm=lm, adapter=adapter), contextlib.redirect_stdout(io.StringIO()):
            search.compile(
                program(lm), trainset=colour_examples()[:bootstrapped], valset=colour_examples()[:scored]
            )
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize(
    ("group", "peer"),
    [*(("fields", peer) for peer in SETTINGS), *(("free", peer) for peer in ("generate", *SETTINGS))],
)
def test_bfrs(benchmark: Any, group: str, peer: str) -> None:
    benchmark.group = group
    lm = load("smollm2")
    kind = Generate if peer == "generate" else Recorded
    made: list[Any] = []

    def new() -> tuple[tuple[HFEngine, int, int], dict[str, Any]]:
        engine = kind(lm, prefill=group == "fields", batch_size=4, **SETTINGS.get(peer, {}))
        engine.record = Counter()
        made.append(engine)
        return (engine, *EXAMPLES[group]), {}

    benchmark.pedantic(bfrs, setup=new, rounds=ROUNDS)
    usage = made[-1].usage if peer != "generate" else None
    assert seen.setdefault(group, made[-1].record) == made[-1].record
    calls = made[-1].record.total()
    assert calls >= 4 * EXAMPLES[group][1]
    benchmark.extra_info |= {"calls": calls}
    if usage is not None:
        benchmark.extra_info |= {"prompt_tokens": usage.prompt_tokens, "reused": usage.reused_share}
        print(
            f"\n{group}, {peer}: {calls} calls, {usage.prompt_tokens:,} tokens of prompts, "
            f"{usage.reused_share:.0%} of them not read again"
        )
