"""Curves and what laws make of them, drawn by matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.laws import Doubles
from pyfastlm.lm.files.pictures import logarithmic, picture

MOST = 12  # panels


def draw(
    shots: Doubles,
    nll: Doubles,
    tasks: Sequence[str],
    fits: Mapping[str, Fit],
    path: Path,
    *,
    fitted: float | None = None,
) -> None:
    """Write a panel for each curve, the first 12: probabilities as points, laws as lines.

    Args:
        shots, nll, tasks: [S], [C, S] and [C].
        fits: by the names that the lines get.
        path: ``.png``, ``.svg`` or ``.pdf``; the same curves give the same bytes.
        fitted: the last number of shots that the laws were fitted to, where they go on from there.

    Raises:
        InputError: the path has another suffix or directory.
        MissingExtra: matplotlib is not installed.
    """
    panels = min(len(nll), MOST)
    columns = min(panels, 3)
    rows = -(-panels // columns)
    with picture(path, (3.4 * columns, 2.4 * rows + 0.6), "icl") as figure:
        axes = figure.subplots(rows, columns, squeeze=False)
        smooth = np.geomspace(shots.min(), shots.max(), 200)
        lines = {name: np.exp(-fit.predict(smooth).reshape(-1, len(smooth))) for name, fit in fits.items()}
        for place, panel in enumerate(axes.flat):
            if place >= panels:
                panel.set_axis_off()
                continue
            _panel(panel, shots, np.exp(-nll[place]), smooth, {k: v[place] for k, v in lines.items()}, fitted)
            panel.set_title(tasks[place], loc="left", fontsize=9)
        figure.legend(
            *axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8
        )
        figure.supxlabel("shots", fontsize=9)
        figure.supylabel("probability", fontsize=9)


def _panel(
    axes: Any, shots: Doubles, p: Doubles, smooth: Doubles, lines: Mapping[str, Doubles], fitted: float | None
) -> None:
    axes.plot(shots, p, ".", markersize=3, color="#888888", label="measured")
    for name, values in lines.items():
        axes.plot(smooth, values, linewidth=1.2, label=name)
    if fitted is not None:
        axes.axvspan(shots.min(), fitted, color="#000000", alpha=0.06, linewidth=0)
    logarithmic(axes)
