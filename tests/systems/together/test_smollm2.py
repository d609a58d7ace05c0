"""The whole way with a real model: stock dspy.BetterTogether on SmolLM2, its weights, and back from disk."""

from pathlib import Path
from typing import Any

import dspy
import pytest
from programs import colour_program

from pyfastlm.together import (
    HFEngine,
    InProcessProvider,
    load_program,
    on_student_lm,
    save_program,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
THINGS = {
    "grass": "green", "blood": "red", "the sea": "blue", "a leaf": "green", "a ripe tomato": "red",
    "the sky": "blue", "moss": "green", "a fire engine": "red", "a blueberry": "blue", "a frog": "green",
}  # fmt: skip
ASKED = ["moss", "a frog", "the sky", "milk"]


def right(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.colour == prediction.colour)


def test_prompts_weights_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = HFEngine("smollm2", batch_size=4)
    provider = InProcessProvider(engine, lr=1e-3, epochs=4, batch_size=4)
    lm = dspy.LM(
        engine.model_id, engine=engine, provider=provider, cache=False, temperature=0.0, max_tokens=12
    )
    examples = [dspy.Example(thing=t, colour=c).with_inputs("thing") for t, c in THINGS.items()]
    prompts = dspy.BootstrapFewShotWithRandomSearch(
        metric=right, max_bootstrapped_demos=1, max_labeled_demos=2, num_candidate_programs=1, num_threads=4
    )
    weights = dspy.BootstrapFinetune(metric=right, exclude_demos=True, num_threads=4)
    optimizer = dspy.BetterTogether(metric=right, p=on_student_lm(prompts), w=weights)
    with dspy.context(lm=lm):
        program = optimizer.compile(
            colour_program(lm), trainset=examples[4:], valset=examples[:4], num_threads=4
        )
    assert program.flag_compilation_error_occurred is False
    found = {each["strategy"]: each["program"] for each in program.candidate_programs}
    new = found["p -> w"].lm.model
    distance = engine.weights.distance(new)
    assert distance.norm > 0

    def asked(some: Any) -> list[tuple[str, str]]:
        return [(answer.why, answer.colour) for answer in (some(thing=thing) for thing in ASKED)]

    before, after = asked(found["p"]), asked(found["p -> w -> p"])
    assert before != after
    # The same prompts, with other weights.
    same = found["p"].deepcopy()
    same.set_lm(found["p -> w"].lm)
    moved = asked(same)
    assert before != moved
    save_program(found["p -> w -> p"], tmp_path / "saved")
    again = colour_program(None)
    other = HFEngine("smollm2", batch_size=4, cache_tokens=0)
    load_program(again, tmp_path / "saved", engine=other)
    assert again.lm.model == new
    assert other.weights.hash(new) == engine.weights.hash(new)
    assert asked(again) == after
    with capsys.disabled():
        print(f"\n{distance}")
        print(provider.tuned)
        print({each["strategy"]: each["score"] for each in program.candidate_programs})
        for thing, *answers in zip(ASKED, before, moved, after, strict=True):
            print(thing, *answers)
        print(engine.usage, f"reused {engine.usage.reused_share:.0%}")
