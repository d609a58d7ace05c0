"""The picture of a report: test accuracy of every strategy, with intervals, seeds and references."""

from pathlib import Path
from statistics import fmean

from pyfastlm.lm.files.pictures import picture
from pyfastlm.together.report.tables import CONTROL_NAMES, ordered
from pyfastlm.together.strategies.grid import Grid
from pyfastlm.together.strategies.plan import CONTROLS

EXTRA = "together"
STRATEGY, CONTROL, LINES = "#1f4e8c", "#c23b22", ("--", ":", "-.")


def accuracies(grid: Grid, path: Path) -> None:
    """A line for each strategy and control: mean over seeds with its interval, and a ring for each seed."""
    names = ordered(grid)
    with picture(path, (7.0, 1.2 + 0.34 * len(names)), EXTRA) as figure:
        axes = figure.subplots()
        for place, name in enumerate(names):
            colour = CONTROL if name in CONTROLS else STRATEGY
            found = grid.contrast({name: 1})
            if found is not None:
                error = [[found.value - found.low], [found.high - found.value]]
                axes.errorbar([found.value], [place], xerr=error, fmt="o", markersize=4, color=colour)
            seeds = [cell.accuracy.value for cell in grid.of(name) if cell.accuracy]
            axes.plot(
                seeds,
                [place] * len(seeds),
                "o",
                markersize=6,
                fillstyle="none",
                color=colour,
                lw=0,
                alpha=0.5,
            )
        for style, name in zip(LINES, dict.fromkeys(line.name for line in grid.lines), strict=False):
            share = fmean(fmean(line.right) for line in grid.lines if line.name == name)
            axes.axvline(share, color="#666666", linewidth=0.9, linestyle=style, label=name)
        axes.set_yticks(range(len(names)), [CONTROL_NAMES.get(name, name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("right answers to test rows")
        if grid.lines:
            figure.legend(loc="outside upper right", ncols=3, fontsize=7)
