"""Section on memorisation: how long a sequence must be repeated until a model gives it word for word."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyfastlm.demo import memorization_runs as runs
from pyfastlm.demo.memorization_plan import TRANSFORMS, Size, tasks
from pyfastlm.demo.memorization_runs import Ran
from pyfastlm.demo.memorization_tables import Cell, Contrast, tables
from pyfastlm.demo.memorization_texts import PACKAGES
from pyfastlm.demo.memorization_world import WINDOW, Shape, world

LEVELS = (0, 1, 10, 40, 160)
SMALL = Shape(("anarchism",), 400, 512, 32, 2, 20, 50)
MIDDLE = Shape(("anarchism",), 5000, 1024, 64, 2, 40, 200)
LARGE = Shape(tuple(PACKAGES), 1_000_000, 1024, 64, 2, 120, 1000)
QUICK = Size(SMALL, (5, 20), (0, 1, 4), 1, 1, 1, 0, share=0.2, batch_size=16)
SHORT = Size(MIDDLE, (40, 300), (0, 1, 40), 3, 1, 1, 1, share=0.04)
FULL = Size(LARGE, (100, 6000), LEVELS, 4, 4, 3, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The section. ``base`` are steps and bits/byte of the base model on the validation text."""

    size: Size
    parameters: int
    base: tuple[tuple[int, float], ...]
    runs: tuple[Ran, ...]
    cells: tuple[Cell, ...]
    contrasts: tuple[Contrast, ...]
    seed: int
    seconds: float

    @property
    def limit(self) -> int:
        """The most tokens that any prompt can give."""
        return WINDOW + 1 - min(runs.PREFIXES)

    @property
    def prompts(self) -> int:
        """Of each sequence."""
        return sum(WINDOW + 1 - prefix for prefix in runs.PREFIXES)

    @property
    def verdict(self) -> str:
        """What came out, in words."""
        most = max(self.size.repetitions)
        told = []
        for contrast in self.contrasts:
            if contrast.repetitions == most:
                unclear = contrast.low <= 0 <= contrast.high
                how = "no clear difference" if unclear else "more" if contrast.difference > 0 else "less"
                told.append(f"{contrast.transform} {contrast.difference:+.1f} tokens ({how})")
        return (
            f"After {most} repetitions, {self._span(most)}; never planted, {self._span(0)}. "
            f"Later checkpoint against earlier: {', '.join(told)}."
        )

    def _span(self, repetitions: int) -> str:
        own = [cell for cell in self.cells if cell.repetitions == repetitions]
        return " and ".join(
            f"{np.mean([cell.longest for cell in own if cell.transform == name]):.1f} tokens ({name})"
            for name in TRANSFORMS
        )


def learn(
    size: Size,
    *,
    cache: Path,
    seed: int,
    home: Path | None = None,
    most: int | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Memory:
    """Train a base model, continue it from two checkpoints with sentences planted, and measure.

    Args:
        size: how large the experiment is.
        cache: for texts.
        seed: of texts and intervals.
        home: directory for the runs, where an interrupted experiment goes on; None keeps nothing.
        most: continued runs; None for all.
        workers: runs at once.
        progress: show bars on standard error.

    Raises:
        TextsMissing: a package is not to be had.
    """
    if home is None:
        with tempfile.TemporaryDirectory() as directory:
            return learn(
                size,
                cache=cache,
                seed=seed,
                home=Path(directory),
                most=most,
                workers=workers,
                progress=progress,
            )
    started = time.perf_counter()
    made = world(size.shape, cache, seed)
    base = runs.base(made, size, home, progress)
    ran = list(runs.run(made, size, home, tasks(size)[:most], workers=workers, progress=progress))
    parameters = sum(weight.numel() for weight in base.lm.model.parameters())
    known = tuple((entry.step, entry.bits_per_byte or np.nan) for entry in base.log)
    cells, contrasts = tables(size, ran, seed)
    seconds = time.perf_counter() - started
    return Memory(size, parameters, known, tuple(ran), cells, contrasts, seed, seconds)
