"""Reports on grids, and the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from scripted import luck, scripted, toy

from pyfastlm.cli.app import run
from pyfastlm.together.report import tables, write_report
from pyfastlm.together.strategies import CONTROLS, STRATEGIES, Grid, read_grid, run_strategies

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("grid") / "grid"
    lm, _, _ = scripted(luck)
    run_strategies(toy(), lm, seeds=(0, 1), directory=home, strategies=(*STRATEGIES, *CONTROLS))
    return home


@pytest.fixture(scope="module")
def grid(place: Path) -> Grid:
    return read_grid(place)


def rows(table: Any) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in table.rows}


def test_accuracies(grid: Grid) -> None:
    found = rows(tables.accuracies(grid))
    assert [*found][:8] == [*STRATEGIES]
    assert [*found][8:] == [*tables.CONTROL_NAMES.values(), "majority"]
    for name in STRATEGIES:
        right = [sum(cell.right) / len(cell.right) for cell in grid.of(name)]
        test, against, seeds, *_ = found[name]
        assert float(test.split()[0]) == pytest.approx(sum(right) / 2, abs=0.0051)
        assert seeds == f"{right[0]:.2f}, {right[1]:.2f}"
        none = [sum(cell.right) / len(cell.right) for cell in grid.of("none")]
        assert (against == "-") == (name == "none")
        if name != "none":
            assert float(against.split()[0]) == pytest.approx((sum(right) - sum(none)) / 2, abs=0.0051)
    kept = [step.traces["self"] for cell in grid.of("P-W") for step in cell.steps]
    assert found["P-W"][4] == f"P {(kept[0] + kept[2]) / 2:.0f}, W {(kept[1] + kept[3]) / 2:.0f}"


def test_interaction(grid: Grid) -> None:
    mean = {name: sum(sum(cell.right) for cell in grid.of(name)) / 40 for name in STRATEGIES}
    expected = mean["P-W"] - mean["P"] - mean["W"] + mean["none"]
    told = rows(tables.contrasts(grid))["P x W, prompts first"][0]
    assert float(told.split()[0]) == pytest.approx(expected, abs=0.0051)


def test_costs_are_those_of_a_strategy_alone(grid: Grid) -> None:
    found = rows(tables.costs(grid))
    assert found["P-W-P"][0] == f"{sum(cell.cost.calls for cell in grid.of('P-W-P')) / 2:,.0f}"
    assert grid.of("P-W-P")[0].cost.calls > grid.of("P-W")[0].cost.calls  # shared steps count for each
    assert found["none"][0] == "0"


def test_doubts(grid: Grid) -> None:
    assert tables.doubts(grid) == ["Fewer than three seeds: what differs between seeds is not seen."]


def test_page(grid: Grid, tmp_path: Path) -> None:
    page = write_report(grid, tmp_path / "report")
    text = page.read_text()
    assert "![Test accuracy of every strategy](accuracies.svg)" in text
    assert "12 rows to train, 8 to validate, 20 to test" in text
    picture = (tmp_path / "report" / "accuracies.svg").read_bytes()
    write_report(grid, tmp_path / "again")
    assert (tmp_path / "again" / "accuracies.svg").read_bytes() == picture
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["accuracies.svg", "report.md"]


def test_a_grid_without_programs(tmp_path: Path) -> None:
    def wrong(model: str, texts: list[str]) -> str:
        return "no answer"

    lm, _, _ = scripted(wrong)
    found = run_strategies(toy(), lm, seeds=(0,), strategies=("W", "P-W", "none"))
    cells = rows(tables.accuracies(found))
    assert cells["W"][:3] == ["-", "-", "-"]
    assert cells["none"][-1] == "100%"
    assert any(said.startswith("P-W, seed 0: none of 12") for said in tables.doubts(found))
    assert write_report(found, tmp_path).exists()


def test_report_command(place: Path, tmp_path: Path, capsys: Output) -> None:
    assert run(["together", "report", str(place), "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "P-W-P" in told.out
    assert "report.md" in told.out
    assert told.err == ""
    assert run(["together", "report", str(place), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [*found["strategies"]] == [*STRATEGIES, *CONTROLS]
    assert len(found["strategies"]["P"]["cells"]) == 2
    assert found["strategies"]["none"]["against none"] is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["report", "nowhere"], "there is no grid.json"),
        (["run", "-o", "x", "--task", "mnist"], "task: expected iris"),
        (["run", "-o", "x", "--task", "gsm8k"], "data: gsm8k is read from a file"),
        (["run", "-o", "x", "--task", "gsm8k", "--data", "nowhere"], "path: cannot read 'nowhere'"),
        (["run", "-o", "x", "--data", "y"], "data: iris has its own"),
        (["run", "-o", "x", "--strategies", "P,Q"], "strategies: expected 'none'"),
        (["run", "-o", "x", "--seeds", "0"], "--seeds"),
        (["run", "-o", "x", "--task", "wordnet", "--data", "nowhere"], "wordnet-base has it"),
        (["run", "-o", "x", "--endpoint", "host:80"], "endpoint: expected an address"),
        (["run", "-o", "x", "--endpoint", "http://host", "--strategies", "W"], "'W' tunes weights"),
    ],
)
def test_mistakes_get_one_line(
    arguments: list[str], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["together", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert error in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not [*tmp_path.iterdir()]
