"""Steps against DSPy's own optimizers, and what strategies make of them."""

import random
from typing import Any

import dspy
import pytest
from scripted import Scripted, luck, scripted, toy, words

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import STRATEGIES, Budget, Grid, run_strategies
from pyfastlm.together.strategies.calls import Cost, Examiner
from pyfastlm.together.strategies.plan import name_of, steps_of
from pyfastlm.together.strategies.prompts import Search
from pyfastlm.together.strategies.state import State
from pyfastlm.together.strategies.steps import Stepper


def examples(rows: Any) -> list[Any]:
    return [dspy.Example(**row.inputs, kind=row.answer, id=row.id).with_inputs(*row.inputs) for row in rows]


def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.kind == prediction.kind)


@pytest.mark.parametrize("labeled", [0, 1, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_search_is_dspys(seed: int, labeled: int) -> None:
    task = toy()
    splits = task.splits(seed)
    lm, engine, _ = scripted(luck)
    program = task.program()
    program.set_lm(lm)
    budget = Budget(labeled=labeled)
    found = Search(Examiner(task), program, splits.train, splits.validation, budget, Cost()).run()
    ours = len(engine.calls)
    stock = dspy.BootstrapFewShotWithRandomSearch(
        metric, max_bootstrapped_demos=3, max_labeled_demos=labeled, num_candidate_programs=6, num_threads=1
    )
    tried = (-3, *([-2] if labeled else []), *range(6))
    with dspy.context(lm=lm):
        best = stock.compile(
            program, trainset=examples(splits.train), valset=examples(splits.validation), restrict=tried
        )
    scores = {each["seed"]: each["score"] / 100 for each in best.candidate_programs}
    assert list(found.scores) == pytest.approx([scores[number] for number in tried])
    assert len(set(found.scores)) > 1
    chosen = [{"word": demo.word, "kind": demo.kind} for demo in best.predictors()[0].demos]
    assert found.demos.get("self", []) == chosen
    if not labeled:
        assert ours <= 12 + 7 * 8 < len(engine.calls) - ours  # runs that are the same are made once


def test_rows_that_fail_are_drawn_again() -> None:
    """The first answers are b; drawn ones are by the seed that the row was given."""
    task = toy()
    drawn: list[tuple[str, float, int]] = []

    class Drawing(Scripted):
        def complete(self, request: Any) -> Any:
            config = request.config
            word = words(["", *(message.parts[0].text for message in request.messages)])[-1]
            if config.temperature:
                drawn.append((word, config.temperature, config.seed))
            self.say = lambda *_: chat_of("ab"[config.seed % 2] if config.temperature else "b")
            return super().complete(request)

    lm, _, provider = scripted(luck)
    lm = lm.copy(engine=Drawing(luck))
    found = Stepper(Examiner(task), task.splits(0), Budget(rounds=4), 0).step(State(lm), "W", 0)
    right = {row.inputs["word"]: row.answer for row in task.splits(0).train}
    asked = [word for word, _, _ in drawn]
    assert {right[word] for word in asked} == {"a"}  # what passed at once is not run again
    assert max(map(asked.count, asked)) > 1
    assert {temperature for _, temperature, _ in drawn} == {1.0}
    assert len({seed for _, _, seed in drawn}) == len(drawn)  # each draw is another one
    passed = {word for word, _, seed in drawn if "ab"[seed % 2] == "a"}
    assert found.record.passed == sum(each == "b" for each in right.values()) + len(passed)
    assert found.record.cost.calls == 12 + len(drawn) + 8
    assert {trace.passed for trace in found.traces} >= {True}
    assert len(provider.trained[0][1]) == found.record.passed
    before = list(drawn)
    drawn.clear()
    Stepper(Examiner(task), task.splits(0), Budget(rounds=4), 0).step(State(lm), "W", 0)
    assert drawn == before  # and the same ones when it is done again
    drawn.clear()
    Stepper(Examiner(task), task.splits(0), Budget(rounds=4), 0).step(State(lm), "F", 0)
    assert not drawn


def test_tuning_data_are_dspys() -> None:
    task = toy()
    splits = task.splits(0)
    lm, _, provider = scripted(luck)
    stepper = Stepper(Examiner(task), splits, Budget(), 0)
    prompted = stepper.step(State(lm), "P", 0).state
    assert prompted.demos
    stepper.step(prompted, "W", 1)
    student = prompted.program(task.program())
    dspy.BootstrapFinetune(metric=metric, exclude_demos=True, num_threads=1).compile(
        student, trainset=examples(splits.train)
    )
    (_, ours, _), (_, theirs, _) = provider.trained
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    assert ours


def test_a_search_prefers_no_demonstrations_where_none_are_better() -> None:
    task = toy()
    lm, _, _ = scripted(lambda model, texts: chat_of("a"))
    found = Stepper(Examiner(task), task.splits(0), Budget(), 0).step(State(lm), "P", 0)
    assert found.state.demos == {}
    assert len(set(found.record.scores)) == 1
    assert len(found.record.scores) == 7


def chat_of(kind: str) -> str:
    return f"[[ ## kind ## ]]\n{kind}\n\n[[ ## completed ## ]]"


def run(**options: Any) -> tuple[Grid, Any, Any]:
    lm, engine, provider = scripted(luck)
    return run_strategies(toy(), lm, **({"seeds": (0,)} | options)), engine, provider


def test_every_step_goes_on_from_where_it_should() -> None:
    grid, _, provider = run()
    cells = {cell.strategy: cell for cell in grid.cells}
    assert [*cells] == [*STRATEGIES]
    models = {name: [step.model for step in cell.steps] for name, cell in cells.items()}
    base = "hf/scripted"
    assert models["P-W-P"] == [base, f"{base}+", f"{base}+"]
    assert models["W-W"] == [f"{base}+", f"{base}++"]
    assert sorted(model for model, _, _ in provider.trained) == [base, base, f"{base}+"]  # W, P-W, W-W
    assert {kwargs["seed"] for _, _, kwargs in provider.trained} == {0}


def test_the_second_search_asks_the_new_weights_and_the_original_prompt() -> None:
    grid, engine, _ = run(strategies=("P-W-P",))
    task = toy()
    parts = {row.inputs["word"]: name for name, part in zip(
        ("train", "validation", "test"), task.splits(0), strict=True) for row in part}  # fmt: skip
    log = [
        (model.removeprefix("hf/scripted"), parts[words(texts)[-1]], len(words(texts)) - 1)
        for model, texts in engine.calls
    ]
    made = [step.cost.calls for step in grid.cells[0].steps]
    first = log[: made[0]]
    assert {(model, part) for model, part, _ in first} == {("", "train"), ("", "validation")}
    assert {demos for _, part, demos in first if part == "train"} == {0}
    assert {demos for _, part, demos in first if part == "validation"} == {0, 1, 2, 3}
    second = log[made[0] :][: made[1]]
    assert {(model, part) for model, part, _ in second} == {("", "train"), ("+", "validation")}
    assert all(demos == 0 for model, _, demos in second if model)  # tuned weights meet the original prompt
    third = log[sum(made[:2]) :][: made[2]]
    assert {(model, part) for model, part, _ in third} == {("+", "train"), ("+", "validation")}
    assert {demos for _, part, demos in third if part == "train"} == {0}  # and so when it searches again
    assert {(model, part) for model, part, _ in log[sum(made) :]} == {("+", "test")}
    assert len(log) == sum(made) + 20


def test_shared_steps_are_those_of_a_strategy_alone() -> None:
    together = {cell.strategy: cell for cell in run()[0].cells}
    for strategy in ("P-P", "P-W-P", "W-P"):
        (alone,) = run(strategies=(strategy,))[0].cells
        shared = together[strategy]
        assert (alone.right, alone.ids, alone.validation) == (shared.right, shared.ids, shared.validation)
        assert [step.cost.calls for step in alone.steps] == [step.cost.calls for step in shared.steps]


def test_budgets_are_equal() -> None:
    grid, _, _ = run()
    for cell in grid.cells:
        for step in cell.steps:
            if step.kind == "W":
                assert step.cost.calls == 12 + 8
            else:
                assert 8 + 8 < step.cost.calls <= 12 + 7 * 8
                assert len(step.scores) == 7
            assert step.cost.prompt_tokens == 10 * step.cost.calls
        assert cell.cost.calls == sum(step.cost.calls for step in cell.steps)
        assert cell.test.calls == 20


def test_equal_programs_are_tested_once() -> None:
    lm, engine, _ = scripted(lambda *_: chat_of("a"))
    grid = run_strategies(toy(), lm, seeds=(0,), strategies=("none", "P", "P-P"))
    assert len({cell.right for cell in grid.cells}) == 1
    test = {row.inputs["word"] for row in toy().splits(0).test}
    asked = [words(texts)[-1] for _, texts in engine.calls]
    assert all(asked.count(word) == 1 for word in test)  # no search found demonstrations that are better


def test_threads_change_nothing() -> None:
    one, many = (run(threads=threads)[0] for threads in (1, 4))
    assert [cell.right for cell in one.cells] == [cell.right for cell in many.cells]
    assert [cell.cost.calls for cell in one.cells] == [cell.cost.calls for cell in many.cells]


def test_seeds_change_splits_and_orders() -> None:
    grid, _, _ = run(seeds=(0, 1), strategies=("none", "P-P"))
    first, second = grid.of("none")
    assert first.ids != second.ids
    assert len(set(first.ids)) == 20
    step, again = grid.of("P-P")[0].steps
    assert step.scores[0] == again.scores[0]  # the same prompt and weights
    assert step.scores != again.scores  # other candidates: a second search is not the first one again


def test_no_trace_is_a_result() -> None:
    def wrong(model: str, texts: list[str]) -> str:
        return chat_of("b" if int(words(texts)[-1][1:-1]) % 2 == 0 else "a")

    lm, _, provider = scripted(wrong)
    grid = run_strategies(toy(), lm, seeds=(0,))
    cells = {cell.strategy: cell for cell in grid.cells}
    for name in ("W", "W-W", "P-W", "W-P", "P-W-P"):
        assert cells[name].reason == "none of 12 training runs passed, so there was nothing to train on"
        assert cells[name].accuracy is None
    assert [step.kind for step in cells["P-W-P"].steps] == ["P"]
    assert cells["P-P"].accuracy.value == 0
    assert cells["P"].steps[0].scores == (0.0,) * 7
    assert provider.trained == []
    assert grid.contrast({"P": 1, "none": -1}) == (0, 0, 0)
    assert grid.contrast({"P-W": 1, "none": -1}) is None


def test_controls() -> None:
    grid, _, provider = run(strategies=("none", "gold", "failed", "random"))
    cells = {cell.strategy: cell for cell in grid.cells}
    assert cells["gold"].cost.calls == 8
    assert cells["failed"].cost.calls == 12 + 8
    assert cells["random"].cost.calls == 3 + 8
    assert cells["random"].steps[0].demos == 3
    (_, gold, _), (_, failed, _) = provider.trained
    assert len(gold) == 12
    assert len(failed) == cells["failed"].steps[0].rows - cells["failed"].steps[0].passed > 0
    right = {row.inputs["word"]: row.answer for row in toy().rows}

    def said(chats: Any) -> list[bool]:
        found = []
        for each in chats:
            user, assistant = (message["content"] for message in each["messages"][-2:])
            found.append(f"[[ ## kind ## ]]\n{right[words(['', user])[-1]]}" in assistant)
        return found

    assert all(said(gold))
    assert not any(said(failed))


def test_names_of_strategies() -> None:
    for name in (*STRATEGIES, "gold", "failed", "random", "P-W-P-W"):
        assert name_of(steps_of(name)) == name
    for wrong in ("", "p", "PW", "P-", "P - W", "G", "P-G", "P-W-\n"):
        with pytest.raises(InputError, match="strategies: expected 'none'"):
            steps_of(wrong)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"strategies": ()}, "strategies: expected one or more"),
        ({"strategies": "P"}, "strategies: expected one or more"),
        ({"strategies": ("P", "P")}, "none of them twice"),
        ({"seeds": ()}, "seeds: expected one or more"),
        ({"seeds": (-1,)}, "seeds: expected numbers from 0"),
        ({"threads": 0}, "threads: expected at least 1"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError, match=error):
        run(**options)


@pytest.mark.parametrize("options", [{"candidates": 0}, {"demos": 0}, {"rounds": 0}])
def test_wrong_budget(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected at least 1, got 0"):
        Budget(**options)


def test_order_of_training_rows_is_of_the_step() -> None:
    task = toy()
    train = list(task.splits(0).train)
    random.Random("0 0").shuffle(train)
    _, engine, _ = run(strategies=("W",))
    assert [words(texts)[-1] for _, texts in engine.calls[:12]] == [row.inputs["word"] for row in train]
