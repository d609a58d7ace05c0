"""Grids on a real engine with random weights: real training, real resuming, programs that come back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dspy
import pytest
from programs import small_engine
from scripted import toy

from pyfastlm.errors import InputError
from pyfastlm.together import HFEngine, InProcessProvider
from pyfastlm.together.strategies import Budget, Grid, program_of, read_grid, run_strategies
from pyfastlm.together.strategies.records import read_json

BUDGET = Budget(candidates=2, demos=1)
TRAINING = {"lr": 0.05, "epochs": 2, "rank": 4}


def lm_of(engine: HFEngine) -> dspy.LM:
    return dspy.LM(
        engine.model_id,
        engine=engine,
        provider=InProcessProvider(engine),
        cache=False,
        temperature=0,
        max_tokens=8,
    )


def task() -> Any:
    return toy(30, (5, 3, 4))


def run(place: Path | None = None, engine: HFEngine | None = None, **options: Any) -> Grid:
    given = {
        "seeds": (0,),
        "budget": BUDGET,
        "train_kwargs": TRAINING,
        "strategies": ("none", "P-W-P", "W-W"),
    }
    return run_strategies(task(), lm_of(engine or small_engine()), directory=place, **(given | options))


def told(grid: Grid) -> Any:
    """What must be the same again."""
    return [
        (
            cell.strategy,
            cell.seed,
            cell.right,
            [(step.model, step.weights, step.scores) for step in cell.steps],
        )
        for cell in grid.cells
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Grid]:
    place = tmp_path_factory.mktemp("whole")
    return place, run(place)


def test_weights_move_and_are_asked(whole: tuple[Path, Grid]) -> None:
    cells = {cell.strategy: cell for cell in whole[1].cells}
    first, tuned, last = cells["P-W-P"].steps
    assert first.distance == 0
    assert tuned.distance == last.distance > 0
    assert first.weights != tuned.weights == last.weights
    again = cells["W-W"].steps
    assert again[0].weights != again[1].weights
    assert again[1].distance > again[0].distance
    assert tuned.cost.training_tokens > 0
    assert first.cost.training_tokens == 0
    assert 0 < first.cost.reused_tokens < first.cost.prompt_tokens
    for cell in whole[1].cells:
        assert cell.test.failures == 0  # fields are forced


def test_a_new_process_finds_the_same(whole: tuple[Path, Grid], tmp_path: Path) -> None:
    again = run(tmp_path, threads=3)
    assert told(again) == told(whole[1])


def test_steps_are_not_made_again(whole: tuple[Path, Grid]) -> None:
    engine = small_engine()
    assert told(run(whole[0], engine)) == told(whole[1])
    assert engine.usage.calls == 0


def test_programs_answer_as_before(whole: tuple[Path, Grid]) -> None:
    cell = whole[1].of("P-W-P")[0]
    rows = {row.id: row for row in task().rows}
    loaded = program_of(whole[0] / "seed0" / "P-W-P", task(), lm_of(small_engine()))
    right = tuple(loaded(**rows[name].inputs).kind == rows[name].answer for name in cell.ids)
    assert right == cell.right


def test_weights_belong_to_their_base(whole: tuple[Path, Grid]) -> None:
    place = whole[0] / "seed0" / "W-W"
    engine = small_engine()
    found = program_of(place, task(), lm_of(engine)).lm.model
    assert engine.weights.hash(found) == whole[1].of("W-W")[0].steps[-1].weights
    with pytest.raises(InputError, match="was saved with other weights"):
        program_of(place, task(), lm_of(small_engine(seed=1)))


CHILD = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
from pathlib import Path
from test_engine_grid import run
run(Path({place!r}), progress=True)
"""


@pytest.mark.slow
def test_killed_for_good_it_goes_on(whole: tuple[Path, Grid], tmp_path: Path) -> None:
    here = Path(__file__)
    code = CHILD.format(tests=str(here.parents[2]), here=str(here.parent), place=str(tmp_path))
    child = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=os.environ
    )
    try:
        deadline = time.monotonic() + 200
        while not [*tmp_path.glob("seed0/P/step.json")]:  # in the midst of what comes after
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    made = read_json(tmp_path / "seed0" / "P" / "step.json")
    assert told(run(tmp_path)) == told(whole[1])
    assert read_json(tmp_path / "seed0" / "P" / "step.json") == made


def test_the_providers_options_belong_to_the_grid(whole: tuple[Path, Grid]) -> None:
    with pytest.raises(InputError, match="holds a grid of another settings"):
        run(whole[0], train_kwargs=TRAINING | {"lr": 0.01})
    assert "lr 0.05" in read_grid(whole[0]).settings["training"]
    engine = small_engine()
    lm = lm_of(engine).copy(provider=InProcessProvider(engine, lr=0.01))
    with pytest.raises(InputError, match="holds a grid of another settings"):
        run_strategies(task(), lm, budget=BUDGET, directory=whole[0], train_kwargs={"epochs": 2, "rank": 4})
    with pytest.raises(InputError, match=r"holds a grid of another model|another weights"):
        run(whole[0], small_engine(seed=1))


def test_nothing_of_a_run_changes_the_base() -> None:
    engine = small_engine()
    base = engine.weights.hash(engine.model_id)
    before = {name: value.clone() for name, value in engine.weights.lm.model.state_dict().items()}
    run(engine=engine, strategies=("W-W",))
    assert engine.weights.hash(engine.model_id) == base
    after = engine.weights.lm.model.state_dict()
    assert all(bool((after[name] == value).all()) for name, value in before.items())
