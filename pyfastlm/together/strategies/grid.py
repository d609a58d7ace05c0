"""A grid of strategies and seeds: what was found, and the directory that holds it."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from pyfastlm.errors import InputError
from pyfastlm.together.strategies.plan import STRATEGIES, Budget
from pyfastlm.together.strategies.records import Cell, read_cell, read_json, write_json
from pyfastlm.together.strategies.statistics import Interval, Outcome, contrast

SETTINGS, LINES, CELL = "grid.json", "references.json", "cell.json"
FIELDS = ("task", "model", "provenance", "weights", "budget", "sizes", "settings")


class Line(NamedTuple):
    """A reference under one seed: its name, and which test rows it gets right."""

    name: str
    seed: int
    right: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """What was found.

    Attributes:
        task, model, provenance: what was asked, of which model, and where the rows come from.
        weights: hash of the model's weights; "" where the LM does not tell.
        budget: of every step.
        sizes: rows to train, to validate, to test.
        settings: further ones, as text.
        cells: by strategy, then seed, in the order asked for.
        lines: references.
    """

    task: str
    model: str
    provenance: str
    weights: str
    budget: Budget
    sizes: tuple[int, int, int]
    settings: dict[str, str] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def strategies(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(dict.fromkeys(cell.strategy for cell in self.cells))

    def of(self, strategy: str) -> tuple[Cell, ...]:
        """All cells of a strategy, one for each seed."""
        return tuple(cell for cell in self.cells if cell.strategy == strategy)

    def contrast(self, weights: dict[str, float]) -> Interval | None:
        """A weighted sum of the accuracies of strategies, with a paired bootstrap interval over test rows.

        Only seeds count under which all of them have a program; None where there is no such seed.
        """
        by_seed = {name: {cell.seed: cell for cell in self.of(name) if not cell.reason} for name in weights}
        seeds = sorted(set.intersection(*(set(cells) for cells in by_seed.values())))
        outcomes = []
        for seed in seeds:
            cells = [of[seed] for of in by_seed.values()]
            right = zip(*(cell.right for cell in cells), strict=True)
            outcomes += [Outcome(name, each) for name, each in zip(cells[0].ids, right, strict=True)]
        return contrast(outcomes, [*weights.values()]) if outcomes else None


def opened(home: Path, grid: Grid) -> Path:
    """Make the directory of a grid, or go on with it.

    Raises:
        InputError: it cannot be made, or another grid is in it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"directory: cannot make {str(home)!r}: {error.strerror}") from error
    settings = asdict(grid) | {"sizes": [*grid.sizes]}
    settings = {name: settings[name] for name in FIELDS}
    if (home / SETTINGS).exists():
        found = read_json(home / SETTINGS)
        for name in FIELDS:
            if found.get(name) != settings[name]:
                raise InputError(
                    f"directory: {str(home)!r} holds a grid of another {name} (then {found.get(name)!r}, now "
                    f"{settings[name]!r}); give another directory"
                )
    else:
        write_json(settings, home / SETTINGS)
    return home


def read_grid(directory: "str | os.PathLike[str]") -> Grid:
    """What a grid in a directory has found so far.

    Raises:
        InputError: there is no grid, no finished cell, or a file is damaged.
    """
    home = Path(directory)
    if not (home / SETTINGS).exists():
        raise InputError(
            f"directory: there is no {SETTINGS} in {str(home)!r}; pyfastlm together run makes one"
        )
    given = read_json(home / SETTINGS)
    cells = [read_cell(path) for path in home.glob(f"seed*/*/{CELL}")]
    if not cells:
        raise InputError(f"directory: no strategy in {str(home)!r} is at its end")
    order = [*STRATEGIES]
    order += sorted({cell.strategy for cell in cells} - set(order))
    cells.sort(key=lambda cell: (order.index(cell.strategy), cell.seed))
    texts = [given.get(name) for name in ("task", "model", "provenance", "weights")]
    told = given.get("settings")
    if not all(isinstance(text, str) for text in texts) or not isinstance(told, dict):
        raise InputError(f"directory: {str(home / SETTINGS)!r} is damaged")
    try:
        lines = tuple(
            Line(str(name), seed, tuple(map(bool, right)))
            for seed in sorted({cell.seed for cell in cells})
            for name, right in read_json(home / f"seed{seed}" / LINES)["lines"]
        )
        budget, (train, validation, test) = Budget(**given.pop("budget")), map(int, given.pop("sizes"))
        return Grid(**given, budget=budget, sizes=(train, validation, test), cells=tuple(cells), lines=lines)
    except (TypeError, ValueError, LookupError) as error:
        raise InputError(f"directory: {str(home / SETTINGS)!r} is damaged") from error
