"""Tables of a grid, and what not to trust in them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from pyfastlm._markdown import Table
from pyfastlm.together.strategies.calls import Cost
from pyfastlm.together.strategies.grid import Grid
from pyfastlm.together.strategies.plan import CONTROLS, STRATEGIES
from pyfastlm.together.strategies.records import Cell
from pyfastlm.together.strategies.statistics import Interval

CONTROL_NAMES = {
    "gold": "tuned on gold answers",
    "failed": "tuned on failed traces",
    "random": "random demonstrations",
}
CONTRASTS: dict[str, dict[str, float]] = {
    "P x W, prompts first": {"P-W": 1, "P": -1, "W": -1, "none": 1},
    "P x W, weights first": {"W-P": 1, "P": -1, "W": -1, "none": 1},
    "P-W against P-P": {"P-W": 1, "P-P": -1},
    "P-W against W-W": {"P-W": 1, "W-W": -1},
    "W-P against P-P": {"W-P": 1, "P-P": -1},
    "W-P against W-W": {"W-P": 1, "W-W": -1},
    "P-W-P against P": {"P-W-P": 1, "P": -1},
    "P-W-P against W": {"P-W-P": 1, "W": -1},
    "P-W-P against P-P": {"P-W-P": 1, "P-P": -1},
}
NOTHING = "-"


def accuracies(grid: Grid) -> Table:
    """Test accuracy of every strategy, control and reference."""
    rows = []
    for name in ordered(grid):
        cells = grid.of(name)
        difference = grid.contrast({name: 1, "none": -1}) if _compared(grid, name) else None
        rows.append(
            [
                CONTROL_NAMES.get(name, name),
                _interval(grid.contrast({name: 1})),
                _signed(difference),
                ", ".join(_two(cell.accuracy.value if cell.accuracy else None) for cell in cells),
                _two(_mean(cells, lambda cell: cell.validation)),
                _kept(cells),
                _share(sum(cell.test.failures for cell in cells), sum(len(cell.right) for cell in cells)),
            ]
        )
    for name in dict.fromkeys(line.name for line in grid.lines):
        shares = [fmean(line.right) for line in grid.lines if line.name == name]
        rows.append([name, _two(fmean(shares)), "", ", ".join(map(_two, shares)), "", "", ""])
    columns = ["strategy", "test", "against none", "by seed", "validation", "traces kept", "unparsed"]
    return Table(
        f"{grid.task} with {grid.model}",
        columns,
        rows,
        "Test: share of right answers over all seeds, with a 95 % bootstrap interval over test rows; against "
        "none: the paired difference. Intervals say nothing about other seeds. Traces kept: calls of modules "
        "in runs whose answer was right, of each step, mean over seeds. Unparsed: test answers that could "
        "not be read. '-': no trace passed, so there is no program.",
    )


def contrasts(grid: Grid) -> Table:
    """Differences, and differences of differences."""
    rows = [
        [name, _signed(grid.contrast(weights))]
        for name, weights in CONTRASTS.items()
        if set(weights) <= set(grid.strategies)
    ]
    return Table(
        "Contrasts",
        ["contrast", "test"],
        rows,
        "P x W: what both bring beyond the sum of each alone. Against P-P and W-W: what alternation brings "
        "beyond as many steps of one kind. Paired bootstrap, 95 %, over test rows.",
    )


def costs(grid: Grid) -> Table:
    """What each strategy takes, by seed on average, alone."""
    columns = [
        "strategy",
        "calls",
        "prompt tokens",
        "reused",
        "trained tokens",
        "minutes",
        "test minutes",
        "moved",
    ]
    rows = []
    for name in ordered(grid):
        cells = grid.of(name)
        costs = [cell.cost for cell in cells]
        prompt = sum(cost.prompt_tokens for cost in costs)
        moved = _mean(cells, lambda cell: cell.steps[-1].distance if cell.steps else 0.0)
        rows.append(
            [
                CONTROL_NAMES.get(name, name),
                _count(costs, lambda cost: cost.calls),
                _count(costs, lambda cost: cost.prompt_tokens),
                _share(sum(cost.reused_tokens for cost in costs), prompt),
                _count(costs, lambda cost: cost.training_tokens),
                f"{fmean(cost.seconds for cost in costs) / 60:.1f}",
                f"{fmean(cell.test.seconds for cell in cells) / 60:.1f}",
                NOTHING if moved is None else f"{moved:.2%}",
            ]
        )
    return Table(
        "Cost of a seed",
        columns,
        rows,
        "As if no step was shared with another strategy. Reused: prompt tokens that came from the prefix "
        "cache. Moved: change of those weights that changed, relative to their norm.",
    )


def summary(grid: Grid) -> dict[str, Any]:
    """All of a grid, with its intervals, as JSON takes it."""
    return {
        "task": grid.task,
        "model": grid.model,
        "weights": grid.weights,
        "provenance": grid.provenance,
        "sizes": list(grid.sizes),
        "budget": asdict(grid.budget),
        "settings": grid.settings,
        "strategies": {
            name: {
                "test": grid.contrast({name: 1}),
                "against none": grid.contrast({name: 1, "none": -1}) if _compared(grid, name) else None,
                "cells": [
                    {name: value for name, value in asdict(cell).items() if name not in ("ids", "right")}
                    | {"accuracy": cell.accuracy, "cost": asdict(cell.cost)}
                    for cell in grid.of(name)
                ],
            }
            for name in ordered(grid)
        },
        "references": [
            {"name": line.name, "seed": line.seed, "test": fmean(line.right)} for line in grid.lines
        ],
        "contrasts": {
            name: grid.contrast(weights)
            for name, weights in CONTRASTS.items()
            if set(weights) <= set(grid.strategies)
        },
        "doubts": doubts(grid),
    }


def doubts(grid: Grid) -> list[str]:
    """What the tables do not show, in sentences."""
    found = []
    seeds = {name: len(grid.of(name)) for name in grid.strategies}
    if min(seeds.values()) < 3:
        found.append("Fewer than three seeds: what differs between seeds is not seen.")
    if len(set(seeds.values())) > 1:
        found.append("Not every strategy has all seeds; means are over different test rows.")
    missing = [cell for cell in grid.cells if cell.reason]
    found += [f"{cell.strategy}, seed {cell.seed}: {cell.reason}." for cell in missing]
    still = [
        name
        for name in grid.strategies
        if _compared(grid, name)
        and any(step.kind == "W" for cell in grid.of(name) for step in cell.steps)
        and (difference := grid.contrast({name: 1, "none": -1})) is not None
        and difference == (0, 0, 0)
    ]
    if still:
        found.append(f"{', '.join(still)}: every test answer is as right or wrong as without any step.")
    return found


def _compared(grid: Grid, name: str) -> bool:
    return name != "none" and "none" in grid.strategies


def ordered(grid: Grid) -> list[str]:
    """Strategies, then controls."""
    names = [name for name in STRATEGIES if name in grid.strategies]
    others = [name for name in grid.strategies if name not in STRATEGIES and name not in CONTROLS]
    return names + others + [name for name in CONTROLS if name in grid.strategies]


def _kept(cells: Sequence[Cell]) -> str:
    """Traces of each step by module, mean over seeds."""
    parts = []
    for number in range(max(len(cell.steps) for cell in cells)):
        steps = [cell.steps[number] for cell in cells if len(cell.steps) > number]
        modules = dict.fromkeys(name for step in steps for name in step.traces)
        counts = [
            f"{fmean(step.traces.get(module, 0) for step in steps):.0f}"
            + (f" {module}" if len(modules) > 1 else "")
            for module in modules
        ]
        parts.append(f"{steps[0].kind} " + (" + ".join(counts) or "0"))
    return ", ".join(parts)


def _mean(cells: Sequence[Cell], value: Callable[[Cell], float | None]) -> float | None:
    found = [each for cell in cells if (each := value(cell)) is not None]
    return fmean(found) if found else None


def _count(costs: Sequence[Cost], value: Callable[[Cost], int]) -> str:
    return f"{fmean(map(value, costs)):,.0f}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else NOTHING


def _two(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def _interval(each: Interval | None) -> str:
    return NOTHING if each is None else f"{each.value:.2f} [{each.low:.2f}, {each.high:.2f}]"


def _signed(each: Interval | None) -> str:
    return NOTHING if each is None else f"{each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"
