"""How an experiment like this becomes a toy, and that it does not here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dspy
import pytest
from scripted import Noting, Scripted, chat, luck, scripted, toy, words

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import Budget, read_traces, run_strategies

GOLD = "GOLD-"
ALL = ("none", "P", "W", "P-P", "W-W", "P-W", "W-P", "P-W-P")


def run(task: Any = None, say: Any = luck, **options: Any) -> tuple[Any, Scripted, Noting]:
    lm, engine, provider = scripted(say)
    return run_strategies(task or toy(), lm, **({"seeds": (0,)} | options)), engine, provider


def test_gold_labels_are_never_trained_on_or_shown() -> None:
    """Gold answers carry a mark that the metric alone knows how to read."""
    grid, engine, provider = run(toy(gold=GOLD), strategies=ALL)
    assert any(cell.steps[-1].passed for cell in grid.of("W"))
    assert provider.trained
    assert GOLD not in repr(provider.trained)
    assert GOLD not in repr(engine.calls)  # nor in any demonstration
    _, _, control = run(toy(gold=GOLD), strategies=("gold",))
    assert repr(control.trained).count(GOLD) == 12  # where it is looked at, the mark is seen


def test_gold_labels_in_prompts_are_not_trained_on_either() -> None:
    """Where gold rows may be shown, the mark is in prompts, and still in no training data."""
    grid, engine, provider = run(toy(gold=GOLD), strategies=("P-W",), budget=Budget(labeled=3))
    assert GOLD in repr(engine.calls)
    assert grid.cells[0].steps[1].passed
    assert provider.trained
    assert GOLD not in repr(provider.trained)


def test_gold_labels_choose_traces_but_do_not_change_them() -> None:
    """With every training label replaced by what the model says anyway, the data are those of the passed."""
    _, _, before = run(strategies=("W",))
    task = toy()
    train = {row.id for row in task.splits(0).train}
    flipped = tuple(
        row._replace(answer="b" if row.answer == "a" else "a") if row.id in train else row
        for row in task.rows
    )
    _, _, after = run(replace(task, rows=flipped), strategies=("W",))
    (_, passed, _), (_, others, _) = before.trained + after.trained
    assert len(passed) + len(others) == 12  # the runs that failed before pass now, with the same outputs
    assert not {repr(each) for each in passed} & {repr(each) for each in others}
    _, _, failed = run(strategies=("failed",))
    assert sorted(map(repr, others)) == sorted(map(repr, failed.trained[0][1]))


def test_demonstrations_are_not_in_tuning_prompts() -> None:
    grid, engine, provider = run(strategies=("P-W",))
    (cell,) = grid.cells
    assert cell.steps[0].demos > 0
    tuned_rows = [texts for _, texts in engine.calls[cell.steps[0].cost.calls :][:12]]
    assert all(
        len(words(texts)) == 1 + cell.steps[0].demos for texts in tuned_rows
    )  # they were run with some
    for each in provider.trained[0][1]:
        assert [message["role"] for message in each["messages"]] == ["system", "user", "assistant"]
        assert len(words([message["content"] for message in each["messages"]])) == 1


def test_the_test_above_can_fail() -> None:
    lm, _, provider = scripted(luck)
    program = toy().program()
    program.set_lm(lm)
    program.demos = [dspy.Example(word="w99.", kind="a")]
    rows = [dspy.Example(**row.inputs).with_inputs("word") for row in toy().rows[:4]]
    dspy.BootstrapFinetune(metric=lambda *_: True, num_threads=1).compile(program, trainset=rows)
    assert "w99." in repr(provider.trained)


def test_only_training_rows_are_bootstrapped_from(tmp_path: Path) -> None:
    task = toy()
    train, validation, test = ({row.id for row in part} for part in task.splits(0))
    words_of = {row.id: row.inputs["word"] for row in task.rows}
    grid, engine, provider = run(task, strategies=ALL, directory=tmp_path)
    logs = [*tmp_path.glob("seed0/*/traces.jsonl")]
    assert len(logs) == 7
    assert {trace.example_id for log in logs for trace in read_traces(log)} == train
    assert {trace.example_id for trace in read_traces(tmp_path / "seed0" / "W" / "traces.jsonl")} == train
    hidden = {words_of[name] for name in validation | test}
    for _, chats, _ in provider.trained:
        assert not hidden & {
            word for each in chats for word in words([m["content"] for m in each["messages"]])
        }
    shown = {word for _, texts in engine.calls for word in words(texts)[:-1]}
    assert shown
    assert not hidden & shown  # no demonstration is of them
    asked = [words(texts)[-1] for _, texts in engine.calls]
    different = {cell.right for cell in grid.cells}
    for name in test:  # once for each program
        assert len(different) <= asked.count(words_of[name]) <= len(ALL)


def test_traces_say_what_was_asked(tmp_path: Path) -> None:
    grid, _, _ = run(strategies=("P-W",), directory=tmp_path)
    vanilla, prompted = (read_traces(tmp_path / "seed0" / name / "traces.jsonl") for name in ("P", "P-W"))
    assert {trace.lm_id for trace in vanilla + prompted} == {"hf/scripted"}
    by_row = {trace.example_id: trace for trace in vanilla}
    hashes = {trace.example_id: trace.prompt_hash for trace in prompted}
    assert len(by_row) >= 8
    assert all(hashes[name] != trace.prompt_hash for name, trace in by_row.items())
    assert sum(trace.passed for trace in prompted) == grid.cells[0].steps[1].passed
    assert {trace.module for trace in prompted} == {"self"}


def test_a_cache_is_refused() -> None:
    engine = Scripted(luck)
    lm = dspy.LM("hf/scripted", engine=engine, provider=Noting(), cache=True)
    with pytest.raises(InputError, match="cache=False"):
        run_strategies(toy(), lm, seeds=(0,))
    assert engine.calls == []


def test_every_call_reaches_the_engine() -> None:
    grid, engine, _ = run(strategies=("W", "W-W"), seeds=(0,))
    made = {
        (cell.strategy, number): step.cost.calls
        for cell in grid.cells
        for number, step in enumerate(cell.steps)
    }
    counted = made["W", 0] + made["W-W", 1] + sum(cell.test.calls for cell in grid.cells)
    assert len(engine.calls) == counted
    # Equal messages to other weights are other calls, and are answered otherwise.
    asked: dict[str, dict[str, str]] = {}
    for model, texts in engine.calls:
        asked.setdefault(repr(texts), {})[model] = luck(model, texts)
    both = [answers for answers in asked.values() if len(answers) > 1]
    assert any(len(set(answers.values())) > 1 for answers in both)


class Down(RuntimeError):
    pass


def failing_after(count: int) -> Any:
    calls = 0

    def say(model: str, texts: list[str]) -> str:
        nonlocal calls
        calls += 1
        if calls > count:
            raise Down("the engine is down")
        return luck(model, texts)

    return say


@pytest.mark.parametrize("count", [0, 15, 75])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_failing_engine_fails_the_run(count: int, threads: int) -> None:
    lm, engine, _ = scripted(failing_after(count))
    with pytest.raises(Exception, match="the engine is down"):
        run_strategies(toy(), lm, strategies=("P-W",), seeds=(0,), threads=threads)
    assert len(engine.calls) <= count + threads  # and at once


def test_stock_dspy_goes_on_where_this_fails(capsys: pytest.CaptureFixture[str]) -> None:
    lm, _, _ = scripted(failing_after(3))
    program = toy().program()
    program.set_lm(lm)
    rows = [dspy.Example(**row.inputs).with_inputs("word") for row in toy().rows[:6]]
    result = dspy.Evaluate(devset=rows, metric=lambda *_: True, num_threads=1)(program)
    assert result.score == 50  # three errors are three wrong answers


def test_a_failing_training_fails_the_run() -> None:
    lm, _, provider = scripted(luck)
    provider.error = Down("no memory left")
    with pytest.raises(Down, match="no memory left"):
        run_strategies(toy(), lm, strategies=("W",), seeds=(0,))


def test_a_training_without_a_new_name_fails_the_run() -> None:
    class Lazy(Noting):
        def finetune(self, job: Any, model: str, *data: Any, **more: Any) -> str:
            return model

    lm, _, _ = scripted(luck)
    with pytest.raises(RuntimeError, match="returned the same name"):
        run_strategies(toy(), lm.copy(provider=Lazy()), strategies=("W",), seeds=(0,))


def test_a_failing_metric_or_program_fails_the_run() -> None:
    def broken(*_: Any) -> bool:
        raise Down("a metric")

    lm, _, _ = scripted(luck)
    with pytest.raises(Down, match="a metric"):
        run_strategies(replace(toy(), correct=broken), lm, seeds=(0,))
    with pytest.raises(Exception, match="nosuch"):
        run_strategies(replace(toy(), output="nosuch"), lm, seeds=(0,))


def test_what_cannot_be_parsed_is_wrong_and_counted() -> None:
    def mumble(model: str, texts: list[str]) -> str:
        return "perhaps a" if int(words(texts)[-1][1:-1]) % 4 == 0 else luck(model, texts)

    grid, _, _ = run(say=mumble, strategies=("none", "P"))
    (none,), (prompted,) = grid.of("none"), grid.of("P")
    unparsed = [name for name in none.ids if int(name[1:]) % 4 == 0]
    assert none.test.failures == len(unparsed) > 0
    assert not any(right for name, right in zip(none.ids, none.right, strict=True) if name in unparsed)
    assert prompted.steps[0].cost.failures > 0
    assert none.test.calls == 20  # no second attempt


def test_an_answer_in_the_prompt_is_not_an_answer() -> None:
    """The model repeats its instructions, which name both options: nothing is right by that."""
    grid, _, _ = run(say=lambda model, texts: texts[0], strategies=("none",))
    assert grid.cells[0].right == (False,) * 20


def test_tuning_is_refused_before_anything_is_run() -> None:
    engine = Scripted(luck)
    lm = dspy.LM("openai/served", engine=engine, provider=dspy.Provider(), cache=False)
    with pytest.raises(InputError, match="'W' tunes weights, and the provider of 'openai/served' cannot"):
        run_strategies(toy(), lm, seeds=(0,))
    with pytest.raises(InputError, match="'failed' tunes weights"):
        run_strategies(toy(), lm, seeds=(0,), strategies=("P", "failed"))
    assert engine.calls == []
    grid = run_strategies(toy(), lm, seeds=(0,), strategies=("none", "P", "P-P"))
    assert [cell.strategy for cell in grid.cells] == ["none", "P", "P-P"]


def test_no_lm() -> None:
    with pytest.raises(InputError, match=r"lm: expected a dspy.LM, got str"):
        run_strategies(toy(), "smollm2")


def test_gold_needs_labels_for_every_module() -> None:
    from pyfastlm.together.tasks.two_hops import _program

    task = toy()
    both = replace(task, program=_program, output="kind")
    with pytest.raises(InputError, match="'gold' needs a program of one module and output"):
        run(both, say=lambda *_: chat(group="bird", kind="animal"), strategies=("gold",))
