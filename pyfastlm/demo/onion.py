"""How a small network stores a sequence: edits of its state that repair it, and others that do not."""

import tempfile
import time
from dataclasses import dataclass

from pyfastlm.onion import TrainingOptions
from pyfastlm.onion.grid import CellResult, FitOptions, Plan, run_grid
from pyfastlm.onion.report import tables


@dataclass(frozen=True, slots=True)
class Size:
    """Of the task (symbols, longest sequence, sequences), the network, and the steps of both trainings."""

    symbols: int
    longest: int
    sequences: int
    units: tuple[int, ...]
    steps: int
    fit_steps: int
    seeds: int = 1


QUICK = Size(8, 4, 1000, (12,), 150, 60)
SHORT = Size(10, 5, 50_000, (32,), 4000, 2000)
FULL = Size(30, 9, 1_000_000, (64, 256), 20_000, 8000, seeds=3)


@dataclass(frozen=True, slots=True, eq=False)
class Peeling:
    """The section: a model for each size of the network and seed, and every edit of its state."""

    size: Size
    cells: tuple[CellResult, ...]
    seconds: float

    @property
    def verdict(self) -> str:
        """What repairs the state, in a sentence for each size."""
        return " ".join(tables.verdicts(self.cells))


def peel(*, size: Size, seed: int = 0, progress: bool = False) -> Peeling:
    """Train networks that repeat sequences, and learn to repair their states.

    Args:
        size: how much of all.
        seed: the first.
        progress: show bars on standard error.
    """
    started = time.perf_counter()
    plan = Plan(
        sizes=size.units,
        seeds=tuple(range(seed, seed + size.seeds)),
        training=TrainingOptions(size.steps, warmup=size.steps // 20),
        fitting=FitOptions(size.fit_steps),
        n_symbols=size.symbols,
        max_len=size.longest,
        n_train=size.sequences,
        n_valid=min(1000, size.sequences // 5),
    )
    with tempfile.TemporaryDirectory() as home:
        cells = run_grid(plan, home, progress=progress)
    return Peeling(size, tuple(cells), time.perf_counter() - started)
