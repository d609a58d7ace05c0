"""The engine and the provider behind dspy.LM: what is refused, counted, streamed, trained and saved."""

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15
from programs import colour_examples, colour_program, small_engine

from pyfastlm.errors import InputError
from pyfastlm.together import HFEngine, InProcessProvider, load_program, on_student_lm, save_program

SETTINGS: dict[str, Any] = {"rank": 4, "alpha": 8.0, "epochs": 1, "lr": 1e-2, "batch_size": 2}
DATA = [
    {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
    for q, a in (("pane?", "presto"), ("vino?", "la sera"))
]


def request(engine: HFEngine, text: str = "Il mercato", **config: Any) -> Any:
    made = lm15.Config(**({"max_tokens": 5} | config))
    return lm15.Request(engine.model_id, [lm15.Message.user(text)], config=made)


def language_model(engine: HFEngine, **settings: Any) -> Any:
    provider = InProcessProvider(engine, **(SETTINGS | settings))
    return dspy.LM(
        engine.model_id, engine=engine, provider=provider, cache=False, temperature=0.0, max_tokens=6
    )


def test_a_response_tells_what_was_done() -> None:
    engine = small_engine()
    first, second = (engine.complete(request(engine)) for _ in range(2))
    assert first.text == second.text
    assert first.finish_reason == "length"
    assert first.provider_data["weights"] == engine.weights.hash(engine.model_id)
    assert first.provider_data["form"] == "free"
    assert first.usage.cache_read_tokens == 0
    assert second.usage.cache_read_tokens == second.usage.input_tokens - 1
    assert (second.usage.output_tokens, engine.usage.calls) == (5, 2)
    assert engine.usage.reused_tokens == second.usage.cache_read_tokens
    engine.reset_usage()
    assert engine.usage.calls == 0


def test_events_are_those_of_the_response() -> None:
    from dspy._vendor.lm15.result import StreamAccumulator

    engine = small_engine()
    asked = request(engine)
    accumulator = StreamAccumulator(asked)
    for event in engine.stream(asked):
        accumulator.push(event)
    assert accumulator.response().text == engine.complete(asked).text


@pytest.mark.parametrize(
    "config",
    [{"frequency_penalty": 1.0}, {"store": True}, {"extensions": {"x": 1}}, {"probabilities": "required"}],
)
def test_nothing_is_ignored_silently(config: Any) -> None:
    engine = small_engine()
    with pytest.raises(lm15.UnsupportedFeatureError, match="this engine has no"):
        engine.complete(request(engine, **config))


def test_what_is_no_text_or_unknown_is_refused() -> None:
    engine = small_engine()
    picture = lm15.ImagePart(media_type="image/png", url="https://example.org/a.png")
    asked = lm15.Request(engine.model_id, [lm15.Message.user([picture])])
    with pytest.raises(lm15.UnsupportedFeatureError, match="this engine reads text, not ImagePart"):
        engine.complete(asked)
    with pytest.raises(lm15.InvalidRequestError, match="no weights are known as 'hf/x'"):
        engine.complete(lm15.Request("hf/x", [lm15.Message.user("a")]))
    plain = small_engine(prefill=False)
    with pytest.raises(
        lm15.UnsupportedFeatureError, match="response_format needs an engine with prefill=True"
    ):
        plain.complete(request(plain, response_format={"type": "json_object"}))
    assert "response_format" not in plain.supported_params


def test_log_probabilities_of_a_response() -> None:
    engine = small_engine()
    found = engine.complete(request(engine, logprobs=2))
    assert len(found.logprobs) == 5
    assert all(len(token.top) == 2 and token.logprob <= token.top[0].logprob for token in found.logprobs)


def test_copies_of_programs_copy_no_weights() -> None:
    engine = small_engine()
    program = colour_program(language_model(engine))
    for made in (program.deepcopy(), program.lm.copy(temperature=1.0)):
        lm = getattr(made, "lm", made)
        assert lm.engine is engine
        assert lm.provider is program.lm.provider


def test_a_job() -> None:
    engine = small_engine()
    lm = language_model(engine)
    job = lm.finetune(DATA, "chat", {"epochs": 2})
    new = job.result()
    assert job.status() == "succeeded"
    assert job.steps == (2, 2)
    assert new.model == job.tuned.model_id == lm.provider.tuned[0].model_id
    assert new("pane?") != lm("pane?")
    assert new.history[-1]["response"].provider_data["weights"] == engine.weights.hash(new.model)
    again = new.finetune(DATA, "chat").result()
    assert len({lm.model, new.model, again.model}) == 3


@pytest.mark.parametrize(
    ("data", "kind", "settings", "message"),
    [
        ([], "chat", {}, "train_data: expected at least one example, got none"),
        (DATA, "completion", {}, "train_data_format: expected chat, got 'completion'"),
        (DATA, "chat", {"learning_rate": 1}, "learning_rate: no such setting; there are rank"),
        ([{"messages": [{"role": "user"}]}], "chat", {}, r"train_data\[0\]: expected messages with role and"),
        (
            [{"messages": [{"role": "user", "content": 1}]}],
            "chat",
            {},
            r"train_data\[0\]: expected messages of",
        ),
        (DATA, "chat", {"lr": 1e30, "epochs": 3}, "lr: the loss is"),
    ],
)
def test_a_job_that_fails(data: Any, kind: str, settings: Any, message: str) -> None:
    lm = language_model(small_engine())
    job = lm.finetune(data, kind, settings)
    with pytest.raises(InputError, match=message):
        raise job.result()
    assert job.status() == "failed"


def test_a_step_on_weights_that_fails_raises() -> None:
    """By BootstrapFinetune; BetterTogether swallows it and sets its flag."""
    engine = small_engine()
    program = colour_program(language_model(engine))
    never = dspy.BootstrapFinetune(metric=lambda *_: False, num_threads=1)
    with (
        dspy.context(lm=program.lm),
        pytest.raises(InputError, match="no run of the program passed the metric"),
    ):
        never.compile(program, trainset=colour_examples()[:2])


def test_wrong_providers_and_students() -> None:
    engine = small_engine()
    with pytest.raises(InputError, match="ranks: no such setting; there are rank"):
        InProcessProvider(engine, ranks=3)
    with pytest.raises(InputError, match="epochs: expected a whole number"):
        InProcessProvider(engine, epochs=0)
    step = on_student_lm(dspy.LabeledFewShot(k=1))
    with pytest.raises(InputError, match="student: expected one LM for all predictors"):
        step.compile(colour_program(None), trainset=colour_examples())


def test_a_program_comes_back_with_its_weights(tmp_path: Path) -> None:
    engine = small_engine()
    lm = language_model(engine)
    program = colour_program(lm.finetune(DATA, "chat").result())
    program.demos = [dspy.Example(thing="moss", why="plants", colour="green")]
    expected = program(thing="sky")
    save_program(program, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "moved")
    fresh = colour_program(None)
    other = small_engine(cache_tokens=0)
    assert load_program(fresh, tmp_path / "moved", engine=other) is other
    assert fresh.lm.model == program.lm.model
    assert fresh.lm.kwargs == program.lm.kwargs
    assert fresh(thing="sky").toDict() == expected.toDict()
    assert (tmp_path / "moved" / "weights-0" / "adapter_model.safetensors").exists()
    with pytest.raises(InputError, match="is a program of another base"):
        load_program(colour_program(None), tmp_path / "moved", engine=small_engine(seed=1))


def test_stock_saving_works_where_weights_are_on_disk(tiny_engine_dir: Path, tmp_path: Path) -> None:
    engine = HFEngine(tiny_engine_dir)
    lm = language_model(engine)
    program = colour_program(lm.finetune(DATA, "chat").result())
    engine.weights.save(program.lm.model, tmp_path / "adapter")
    program.save(tmp_path / "program.json")
    again = colour_program(None)
    again.load(tmp_path / "program.json", allow_unsafe_lm_state=True)
    assert again.lm.engine is engine
    assert again(thing="sky").toDict() == program(thing="sky").toDict()


def test_hostile_programs(tmp_path: Path) -> None:
    engine = small_engine()
    program = colour_program(language_model(engine).finetune(DATA, "chat").result())
    save_program(program, tmp_path / "a")
    path = tmp_path / "a" / "program.json"
    whole = json.loads(path.read_text())

    def changed(change: Any) -> str:
        made = json.loads(path.read_text())
        change(made)
        return json.dumps(made)

    (model_id,) = whole["engine"]["weights"]
    cases = {
        "": "is no JSON",
        "[]": "is no program of format 1",
        "[" * 100_000: "cannot read",
        changed(lambda w: w.update(format=2)): "is no program of format 1",
        changed(lambda w: w.pop("modules")): "is damaged: KeyError",
        changed(
            lambda w: w["engine"]["weights"].update({model_id: "../../etc"})
        ): "expected weights in a folder",
        changed(lambda w: w["modules"].update(more={})): "holds a program of self, more",
        changed(
            lambda w: w["engine"].update(weights={"hf/x@1": "weights-0"})
        ): "weights: expected 'hf/x@1' in",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            load_program(colour_program(None), tmp_path / "a", engine=small_engine())
    with pytest.raises(InputError, match="directory: cannot read"):
        load_program(colour_program(None), tmp_path / "nothing")
    with pytest.raises(InputError, match="program: expected LMs with an HFEngine"):
        save_program(colour_program(dspy.LM("openai/x")), tmp_path / "b")
    with pytest.raises(InputError, match="expected a new directory"):
        save_program(program, tmp_path / "a")
