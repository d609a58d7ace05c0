"""Pictures of a grid: size against success, the curves of the fits, and gates over time."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pyfastlm.lm.files.pictures import logarithmic, picture
from pyfastlm.onion.grid.plan import KINDS, Condition
from pyfastlm.onion.grid.rows import CellResult
from pyfastlm.onion.report.tables import NAMES, by_model

EXTRA = "onion"
COLOURS = dict(zip(KINDS, ("#c23b22", "#e8a798", "#1f4e8c", "#6fa8dc"), strict=True))
WHOLE = "whole sequences right"


def sizes(found: Sequence[CellResult], path: Path) -> None:
    """Success in the setting of the paper's code by the size of the state, a panel for each variant: means,
    and every seed."""
    variants = sorted({each.cell.no_input for each in found})
    with picture(path, (4.4 * len(variants), 3.4), EXTRA) as figure:
        panels = figure.subplots(1, len(variants), squeeze=False, sharey=True)[0]
        for axes, variant in zip(panels, variants, strict=True):
            own = [each for each in found if each.cell.no_input == variant]
            _line(axes, [(each.cell.size, each.model.exact.share) for each in own], "model", "#444444")
            for kind, colour in COLOURS.items():
                points = [
                    (each.cell.size, row.exact.share)
                    for each in own
                    for fit in each.fits
                    if fit.kind == kind and fit.own
                    for row in fit.rows
                    if Condition(row.lengths, row.edits) == (fit.lengths, fit.edits)
                ]
                _line(axes, points, kind, colour)
            logarithmic(axes)
            axes.set_title(NAMES[variant], loc="left", fontsize=9)
            axes.set_xlabel("N, size of the state")
        panels[0].set(ylabel=WHOLE, ylim=(-0.03, 1.03))
        panels[-1].legend(fontsize=7)


def curves(found: Sequence[CellResult], path: Path) -> None:
    """The loss of every fit in its own setting, and the sequences it repairs, by step: a column a model."""
    models = by_model(found)
    with picture(path, (1 + 2.6 * len(models), 4.6), EXTRA) as figure:
        panels = figure.subplots(2, len(models), squeeze=False, sharex="col", sharey="row")
        for column, (model, cells) in enumerate(models):
            top, bottom = panels[:, column]
            for kind, colour in COLOURS.items():
                for number, fit in enumerate(
                    fit for cell in cells for fit in cell.fits if fit.kind == kind and fit.own
                ):
                    steps = [point.step for point in fit.curve]
                    label = None if number else kind
                    top.plot(steps, [point.loss for point in fit.curve], color=colour, lw=1, label=label)
                    bottom.plot(steps, [point.accuracy for point in fit.curve], color=colour, lw=1)
            top.set_title(model, loc="left", fontsize=9)
            top.set_yscale("log")
            top.yaxis.set_major_formatter("{x:g}")  # not in TeX
            bottom.set(xlabel="step", ylim=(-0.03, 1.03))
        panels[0, 0].set_ylabel("loss, nats a token")
        panels[1, 0].set_ylabel(WHOLE)
        panels[0, -1].legend(fontsize=7)


def gates(found: Sequence[CellResult], path: Path) -> None:
    """1 - z of each channel while the longest sequences are read and said, first seed of each model: channels
    by how much they take in while reading."""
    models = by_model(found)
    with picture(path, (1.2 + 2.9 * len(models), 3.2), EXTRA) as figure:
        panels = figure.subplots(1, len(models), squeeze=False)[0]
        for axes, (model, cells) in zip(panels, models, strict=True):
            steps = cells[0].model.gates
            reading = len(steps) // 2
            channels = sorted(range(len(steps[0])), key=lambda c: -fmean(step[c] for step in steps[:reading]))
            image = axes.imshow(
                [[step[channel] for step in steps] for channel in channels],
                aspect="auto",
                vmin=0,
                vmax=1,
                cmap="viridis",
                interpolation="nearest",
            )
            axes.axvline(reading - 0.5, color="white", lw=0.8)
            axes.set_title(model, loc="left", fontsize=9)
            axes.set(xlabel="reading | saying, steps", ylabel="channel" if axes is panels[0] else "")
        figure.colorbar(image, ax=panels[-1], label="1 - z")


def _line(axes: Any, points: Sequence[tuple[int, float]], label: str, colour: str) -> None:
    """Means joined by a line, and all points."""
    if not points:
        return
    xs = sorted({x for x, _ in points})
    means = [fmean(y for at, y in points if at == x) for x in xs]
    axes.plot(xs, means, "-", color=colour, lw=1.5, label=label)
    axes.plot(*zip(*points, strict=True), "o", color=colour, ms=3, alpha=0.7)
