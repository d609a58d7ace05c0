"""Grids in directories: killed and gone on with, read again, and damaged."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import luck, scripted, toy

from pyfastlm.errors import InputError
from pyfastlm.together.strategies import Budget, Grid, Trace, read_grid, read_traces, run_strategies
from pyfastlm.together.strategies.calls import Cost
from pyfastlm.together.strategies.records import Cell, read_cell, read_step, write
from pyfastlm.together.strategies.traces import write_traces


class Killed(BaseException):
    pass


def results(grid: Grid) -> Any:
    """All but seconds."""

    def without(cost: Cost) -> Cost:
        return replace(cost, seconds=0)

    cells = [
        replace(
            cell,
            test=without(cell.test),
            steps=tuple(replace(step, cost=without(step.cost)) for step in cell.steps),
        )
        for cell in grid.cells
    ]
    return replace(grid, cells=tuple(cells))


def test_what_is_read_is_what_was_run(tmp_path: Path) -> None:
    lm, _, _ = scripted(luck)
    grid = run_strategies(toy(), lm, seeds=(0, 1), directory=tmp_path)
    assert read_grid(tmp_path) == grid


@pytest.mark.parametrize("count", [1, 150])
def test_a_killed_run_goes_on(tmp_path: Path, count: int) -> None:
    whole_lm, whole_engine, _ = scripted(luck)
    whole = run_strategies(toy(), whole_lm, seeds=(0,), directory=tmp_path / "whole")
    calls = 0

    def say(model: str, texts: list[str]) -> str:
        nonlocal calls
        calls += 1
        if calls == count:
            raise Killed
        return luck(model, texts)

    lm, engine, _ = scripted(say)
    with pytest.raises(Killed):
        run_strategies(toy(), lm, seeds=(0,), directory=tmp_path / "killed")
    resumed = run_strategies(toy(), lm, seeds=(0,), directory=tmp_path / "killed")
    assert results(resumed) == results(whole)
    longest = 12 + 7 * 8 + 20  # one step, or one cell, is the most that is made twice
    assert len(engine.calls) <= len(whole_engine.calls) + longest
    before = len(engine.calls)
    assert run_strategies(toy(), lm, seeds=(0,), directory=tmp_path / "killed") == resumed
    assert len(engine.calls) == before


def test_left_overs_are_replaced(tmp_path: Path) -> None:
    lm, _, _ = scripted(luck)
    first = run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("P",))
    place = tmp_path / "seed0" / "P"
    (place / "cell.json").unlink()
    (place / "step.json").unlink()  # killed between the program and its record
    (place / ".program.tmp").mkdir()
    (place / ".program.tmp" / "x").write_text("y")
    again = run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("P",))
    assert results(again) == results(first)
    assert sorted(path.name for path in place.iterdir()) == [
        "cell.json",
        "program",
        "step.json",
        "traces.jsonl",
    ]


def test_more_strategies_and_seeds_add_to_it(tmp_path: Path) -> None:
    lm, engine, _ = scripted(luck)
    run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("P",))
    count = len(engine.calls)
    run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("P", "P-W"))
    assert len(engine.calls) == count + 12 + 8 + 20  # one more step and its test
    run_strategies(toy(), lm, seeds=(1,), directory=tmp_path, strategies=("none",))
    grid = read_grid(tmp_path)
    assert [(cell.strategy, cell.seed) for cell in grid.cells] == [("none", 1), ("P", 0), ("P-W", 0)]
    assert [line.seed for line in grid.lines] == [0, 1]


def test_another_grid_is_refused(tmp_path: Path) -> None:
    lm, _, _ = scripted(luck)
    run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("none",))
    for options, name in (
        ({"budget": Budget(candidates=2)}, "budget"),
        ({"train_kwargs": {"epochs": 9}}, "settings"),
    ):
        with pytest.raises(InputError, match=f"holds a grid of another {name}"):
            run_strategies(toy(), lm, directory=tmp_path, **options)
    with pytest.raises(InputError, match="holds a grid of another sizes"):
        run_strategies(toy(sizes=(12, 8, 21)), lm, directory=tmp_path)
    with pytest.raises(InputError, match="holds a grid of another model"):
        run_strategies(toy(), lm.copy(model="hf/other"), directory=tmp_path)


def test_no_place(tmp_path: Path) -> None:
    lm, engine, _ = scripted(luck)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="directory: cannot make"):
        run_strategies(toy(), lm, directory=tmp_path / "file" / "under")
    assert engine.calls == []


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no grid\.json"):
        read_grid(tmp_path)
    lm, _, _ = scripted(luck)
    run_strategies(toy(), lm, seeds=(0,), directory=tmp_path, strategies=("none",))
    (tmp_path / "seed0" / "none" / "cell.json").unlink()
    with pytest.raises(InputError, match=r"no strategy in .* is at its end"):
        read_grid(tmp_path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ran")
    lm, _, _ = scripted(luck)
    run_strategies(toy(), lm, seeds=(0,), directory=place, strategies=("none", "P"))
    return place


@pytest.mark.parametrize("name", ["grid.json", "seed0/P/cell.json", "seed0/references.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "[" * 100_000, '{"lines": [3], "steps": 3}', "\xff"])
def test_damaged_files(ran: Path, tmp_path: Path, name: str, text: str) -> None:
    shutil.copytree(ran, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"damaged|holds no object|is not UTF-8"):
        read_grid(tmp_path / "copy")


def values(given: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to all that is in a value."""
    inside = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ()
    return [path, *(each for key, value in inside for each in values(value, (*path, key)))][bool(not path) :]


def test_every_value_of_a_record_is_checked(ran: Path, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    for name, read in (("cell.json", read_cell), ("step.json", read_step)):
        text = (ran / "seed0" / "P" / name).read_text()
        checked = 0
        for place in values(json.loads(text)):
            given = json.loads(text)
            inner = given
            for key in place[:-1]:
                inner = inner[key]
            if inner[place[-1]] is None:
                continue
            inner[place[-1]] = {"another": "type"}
            path.write_text(json.dumps(given))
            if place[-1] == "traces":
                continue  # a dictionary of counts is what it is
            with pytest.raises(InputError, match="is damaged"):
                read(path)
            checked += 1
        assert checked > 20


def test_a_cell_has_a_reason_or_outcomes(tmp_path: Path) -> None:
    for cell in (Cell("P", 0), Cell("P", 0, "why", ("a",), (True,)), Cell("P", 0, "", ("a",), (True, False))):
        write(cell, tmp_path / "cell.json")
        with pytest.raises(InputError, match="is damaged"):
            read_cell(tmp_path / "cell.json")


TRACE = Trace("r1", "self", {"word": "w"}, {"kind": "é"}, True, "hf/x", "00")


def test_traces_come_back(tmp_path: Path) -> None:
    write_traces([TRACE, TRACE._replace(passed=False)], tmp_path / "t.jsonl")
    assert read_traces(tmp_path / "t.jsonl") == [TRACE, TRACE._replace(passed=False)]
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


@pytest.mark.parametrize(
    "change",
    [
        {"passed": 1},
        {"passed": "true"},
        {"inputs": []},
        {"outputs": "x"},
        {"example_id": 3},
        {"lm_id": None},
        {"extra": 1},
    ],
)
def test_strange_traces(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps(TRACE._asdict()) + "\n" + json.dumps(TRACE._asdict() | change) + "\n")
    with pytest.raises(InputError, match="line 2: expected the keys example_id, module"):
        read_traces(path)
    path.write_text(json.dumps([TRACE]))
    with pytest.raises(InputError, match="line 1: expected the keys"):
        read_traces(path)
