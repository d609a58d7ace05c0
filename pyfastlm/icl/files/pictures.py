"""Curves and what laws make of them, drawn by matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.laws import Doubles

FORMATS = (".png", ".svg", ".pdf")
METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
MOST = 12  # panels


def check_picture(path: Path) -> None:
    """Raise :class:`InputError` unless a picture can be written to ``path``."""
    if path.suffix not in FORMATS:
        raise InputError(f"picture: expected a name ending in {', '.join(FORMATS)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise InputError(f"picture: no such directory: {str(path.parent)!r}")


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
    check_picture(path)
    matplotlib, figures = require("matplotlib", "icl"), require("matplotlib.figure", "icl")
    panels = min(len(nll), MOST)
    columns = min(panels, 3)
    rows = -(-panels // columns)
    with matplotlib.rc_context({"svg.hashsalt": "pyfastlm", "font.size": 9, "text.parse_math": False}):
        figure = figures.Figure(figsize=(3.4 * columns, 2.4 * rows + 0.6), layout="constrained")
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
            *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
        )
        figure.supxlabel("shots", fontsize=9)
        figure.supylabel("probability", fontsize=9)
        with replacing(path, path.with_name(f".{path.name}.tmp")) as file:
            kind = path.suffix.removeprefix(".")
            figure.savefig(file, format=kind, dpi=150, metadata=METADATA[kind])


def _panel(
    axes: Any, shots: Doubles, p: Doubles, smooth: Doubles, lines: Mapping[str, Doubles], fitted: float | None
) -> None:
    axes.plot(shots, p, ".", markersize=3, color="#888888", label="measured")
    for name, values in lines.items():
        axes.plot(smooth, values, linewidth=1.2, label=name)
    if fitted is not None:
        axes.axvspan(shots.min(), fitted, color="#000000", alpha=0.06, linewidth=0)
    axes.set_xscale("log")
