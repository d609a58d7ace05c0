"""Stock dspy.BetterTogether on an engine and a provider of this process."""

from typing import Any

import dspy
import pytest
from programs import colour_examples, colour_program, small_engine

from pyfastlm.together import HFEngine, InProcessProvider, on_student_lm


def ends_with_a_colour(example: Any, prediction: Any, trace: Any = None) -> bool:
    """What passes hangs on the answer, and not on whether it is right: random weights are not."""
    return prediction.colour != "green" or len(prediction.why) % 2 == 0


def compiled(engine: HFEngine, prompt_step: Any) -> Any:
    """The stock optimiser, p -> w -> p, and the ids that were called, in order."""
    provider = InProcessProvider(engine, epochs=2, lr=1e-2, batch_size=4)
    lm = dspy.LM(
        engine.model_id, engine=engine, provider=provider, cache=False, temperature=0.0, max_tokens=8
    )
    weights = dspy.BootstrapFinetune(metric=ends_with_a_colour, exclude_demos=True, num_threads=2)
    optimizer = dspy.BetterTogether(metric=ends_with_a_colour, p=prompt_step, w=weights)
    with dspy.context(lm=lm):
        return optimizer.compile(
            colour_program(lm), trainset=colour_examples(), valset=colour_examples()[:2], num_threads=2
        )


def prompt_step() -> Any:
    return dspy.BootstrapFewShotWithRandomSearch(
        metric=ends_with_a_colour, max_bootstrapped_demos=1, max_labeled_demos=1, num_candidate_programs=1
    )


def test_prompts_weights_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = small_engine(batch_size=4)
    called: list[str] = []
    answers = engine.answers
    monkeypatch.setattr(
        engine, "answers", lambda calls: [called.append(calls[0].model_id), answers(calls)][1]
    )
    program = compiled(engine, on_student_lm(prompt_step()))
    assert program.flag_compilation_error_occurred is False
    steps = {found["strategy"]: found["program"].lm.model for found in program.candidate_programs}
    new = steps["p -> w"]
    assert steps == {"": engine.model_id, "p": engine.model_id, "p -> w": new, "p -> w -> p": new}
    assert new.startswith(f"{engine.model_id}@")
    assert engine.weights.distance(new).norm > 0
    # From the first call of the new weights on, the old ones are not asked again: all of the second p.
    first = called.index(new)
    assert {*called[:first]} == {engine.model_id}
    assert {*called[first:]} == {new}
    assert len(called) - first > 4


def test_the_stock_prompt_step_alone_asks_the_old_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why on_student_lm exists: to be dropped when DSPy keeps the LM of its student."""
    engine = small_engine(batch_size=4)
    called: list[str] = []
    answers = engine.answers
    monkeypatch.setattr(
        engine, "answers", lambda calls: [called.append(calls[0].model_id), answers(calls)][1]
    )
    program = compiled(engine, prompt_step())
    assert program.flag_compilation_error_occurred is False
    new = next(model_id for model_id in called if model_id != engine.model_id)
    assert engine.model_id in called[called.index(new) :]
