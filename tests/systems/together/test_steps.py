"""Steps against DSPy's own optimizers, and what strategies make of them."""

import random
from typing import Any

import dspy
import pytest
from scripted import luck, scripted, toy, words

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import STRATEGIES, Budget, Grid, run_strategies
from pyfastlm.together.strategies.calls import Cost, Examiner
from pyfastlm.together.strategies.plan import name_of, steps_of
from pyfastlm.together.strategies.prompts import search
from pyfastlm.together.strategies.state import State
from pyfastlm.together.strategies.steps import Stepper


def examples(rows: Any) -> list[Any]:
    return [dspy.Example(**row.inputs, gold=row.answer, id=row.id).with_inputs(*row.inputs) for row in rows]


def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.gold == prediction.kind)


@pytest.mark.parametrize("seed", range(4))
def test_search_is_dspys(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    task = toy()
    splits = task.splits(seed)
    lm, engine, _ = scripted(luck)
    program = task.program()
    program.set_lm(lm)
    found = search(Examiner(task), program, splits.train, splits.validation, Budget(), Cost())
    ours = len(engine.calls)
    stock = dspy.BootstrapFewShotWithRandomSearch(
        metric, max_bootstrapped_demos=3, max_labeled_demos=0, num_candidate_programs=6, num_threads=1
    )
    with dspy.context(lm=lm):
        best = stock.compile(
            program,
            trainset=examples(splits.train),
            valset=examples(splits.validation),
            restrict=[-3, *range(6)],
        )
    scores = {each["seed"]: each["score"] / 100 for each in best.candidate_programs}
    assert list(found.scores) == pytest.approx([scores[number] for number in (-3, *range(6))])
    assert len(set(found.scores)) > 1
    chosen = [{"word": demo.word, "kind": demo.kind} for demo in best.predictors()[0].demos]
    assert found.demos.get("self", []) == chosen
    assert ours == 12 + 7 * 8
    assert len(engine.calls) - ours > 7 * 8


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
    _, engine, _ = run(strategies=("P-W-P",))
    task = toy()
    parts = {row.inputs["word"]: name for name, part in zip(
        ("train", "validation", "test"), task.splits(0), strict=True) for row in part}  # fmt: skip
    log = [
        (model.removeprefix("hf/scripted"), parts[words(texts)[-1]], len(words(texts)) - 1)
        for model, texts in engine.calls
    ]
    first = log[: 12 + 7 * 8]
    assert first[:12] == [("", "train", 0)] * 12
    assert {(model, part) for model, part, _ in first[12:]} == {("", "validation")}
    assert {demos for _, _, demos in first[12:]} <= {0, 1, 2, 3}
    second = log[len(first) : len(first) + 12 + 8]
    assert {(model, part) for model, part, _ in second} == {("", "train"), ("+", "validation")}
    assert all(demos == 0 for model, _, demos in second if model)  # tuned weights meet the original prompt
    third = log[len(first) + 20 :][: 12 + 7 * 8]
    assert third[:12] == [("+", "train", 0)] * 12  # and so they do when the next search begins
    assert {(model, part) for model, part, _ in third[12:]} == {("+", "validation")}
    assert {(model, part) for model, part, _ in log[len(first) + 20 + len(third) :]} == {("+", "test")}
    assert len(log) == len(first) + 20 + len(third) + 20


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
            assert step.cost.calls == {"P": 12 + 7 * 8, "W": 12 + 8}[step.kind]
            assert step.cost.prompt_tokens == 10 * step.cost.calls
        assert cell.cost.calls == sum(step.cost.calls for step in cell.steps)
        assert cell.test.calls == 20


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
    assert (step.rows, step.passed) == (again.rows, again.passed)  # the same prompt and weights
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
    assert cells["P"].steps[0].scores == (0.0,)
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


@pytest.mark.parametrize("options", [{"candidates": 0}, {"demos": 0}])
def test_wrong_budget(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected at least 1, got 0"):
        Budget(**options)


def test_order_of_training_rows_is_of_the_step() -> None:
    task = toy()
    train = list(task.splits(0).train)
    random.Random("0 0").shuffle(train)
    _, engine, _ = run(strategies=("P",))
    assert [words(texts)[-1] for _, texts in engine.calls[:12]] == [row.inputs["word"] for row in train]
