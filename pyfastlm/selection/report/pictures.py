"""Pictures of the report as inline SVG, drawn by matplotlib; their colours are variables of the page."""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyfastlm._require import require
from pyfastlm.selection.study.correlating import Correlation
from pyfastlm.selection.study.held_out import BASELINE, INVERTED, RANDOM, SELECTED, Prediction
from pyfastlm.selection.study.names import shown
from pyfastlm.selection.study.selection_table import Selection

# Drawn in these, which become the page's own so that it can be dark.
INK, SOFT, LINE, MARK, ACCENT, PAPER = "#010203", "#010204", "#010205", "#010206", "#010207", "#010208"
VARIABLES = {INK: "ink", SOFT: "soft", LINE: "line", MARK: "mark", ACCENT: "dot", PAPER: "paper"}
WAYS = {SELECTED: MARK, BASELINE: ACCENT, RANDOM: SOFT, INVERTED: INK}
SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "pyfastlm",  # the same picture, the same bytes
    "text.parse_math": False,  # a name may hold a $
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "xtick.color": SOFT,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "grid.color": LINE,
    "figure.facecolor": "none",
}
WIDTH = 8.2  # inches; the page scales it
MOST = 30  # domains in a picture, as in the tables
PANELS = 6
POINTS = 1500  # domains in a panel: evenly from the greatest estimate to the least
LONGEST = 34  # characters of a name


def domains(selection: Selection) -> str:
    """Estimates with their intervals, and weights with frequencies; the best domains at the top."""
    rows = selection.order()[:MOST]
    rows = rows[np.isfinite(selection.estimate[rows])]
    places = np.arange(len(rows))
    chosen = selection.included[rows]
    estimate, low, high = (getattr(selection, name)[rows] for name in ("estimate", "low", "high"))

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        left.hlines(places, low, high, color=ACCENT, alpha=0.35, linewidth=4)
        for colour, which in ((ACCENT, chosen), (PAPER, ~chosen)):
            left.scatter(estimate[which], places[which], s=26, color=colour, edgecolors=ACCENT, zorder=3)
        left.axvline(0, color=SOFT, linewidth=0.8)
        left.set_yticks(places, [shown(selection.domains[row], LONGEST) for row in rows])
        left.set_xlabel(_scale(selection))
        right.barh(places, 100 * selection.weights[rows], height=0.62, color=ACCENT, alpha=0.8)
        right.set_xlabel("weight, % of the budget (bar)")
        if selection.basis.replicates:
            upper = right.twiny()
            upper.spines["top"].set_visible(True)
            upper.scatter(100 * selection.frequency[rows], places, marker="|", s=70, color=MARK, linewidths=2)
            upper.set_xlim(-2, 102)
            upper.set_xlabel("selected in % of the draws (mark)")
        left.set_ylim(len(rows) - 0.4, -0.6)
        for axes in (left, right):
            axes.grid(axis="x", linewidth=0.6)
            axes.set_axisbelow(True)

    return picture(draw, 1.1 + 0.22 * len(rows), f"Estimates and weights of domains: {selection.name}")


def ways(prediction: Prediction) -> str:
    """Held-out rank correlation of each way for each benchmark, with intervals."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        place = 0.0
        ticks: list[tuple[float, str]] = []
        for benchmark in prediction.benchmarks:
            ticks.append((place + 1.5 * 0.75, shown(benchmark.name, LONGEST)))
            for way in benchmark.ways:
                colour = WAYS[way.name]
                label = way.name if benchmark is prediction.benchmarks[0] else None
                axes.hlines(place, way.low, way.high, color=colour, alpha=0.35, linewidth=4)
                axes.scatter(way.spearman, place, s=28, color=colour, zorder=3, label=label)
                place += 0.75
            place += 0.8
        axes.axvline(0, color=SOFT, linewidth=0.8)
        axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
        axes.set_ylim(place - 0.7, -0.7)
        axes.set_xlabel("Spearman's correlation of predicted and true order, models held out by family")
        axes.grid(axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(WAYS), frameon=False)

    return picture(draw, 1.2 + 0.75 * len(prediction.benchmarks), "Held-out rank correlation")


def partials(correlations: Sequence[Correlation]) -> str:
    """Partial correlations of domains over their correlations, for the first benchmarks."""
    first = correlations[:PANELS]

    def draw(figure: Any) -> None:
        columns = min(len(first), 3)
        grid = figure.subplots(-(-len(first) // columns), columns, squeeze=False)
        for axes, one in zip(grid.flat, first, strict=False):
            axes.axhline(0, color=SOFT, linewidth=0.8)
            axes.axvline(0, color=SOFT, linewidth=0.8)
            rows = one.order()[:: -(-len(one.domains) // POINTS)]
            axes.scatter(one.estimate[rows], one.partial[rows], s=9, color=ACCENT, alpha=0.7, linewidths=0)
            axes.set_title(shown(one.benchmark, LONGEST))
            axes.set_xlabel("estimate")
            axes.set_ylabel("partial")
        for axes in grid.flat[len(first) :]:
            axes.set_visible(False)

    return picture(draw, 2.4 * (1 + (len(first) - 1) // 3), "Correlation and partial correlation")


def picture(draw: Callable[[Any], None], height: float, title: str) -> str:
    """What ``draw`` puts on a figure, as an ``<svg>`` element.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    matplotlib, figures = require("matplotlib", "selection"), require("matplotlib.figure", "selection")
    file = io.StringIO()
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        # Text stays text, so that the font of the browser counts and not matplotlib's.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = figures.Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    prefix = "p" + hashlib.blake2b(title.encode("utf-8", "replace"), digest_size=6).hexdigest()
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)  # ids are those of the whole page
    for colour, name in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    label = re.sub(r"[<>&\"\\]", " ", shown(title))
    return re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-label="{label}">',
        svg,
        count=1,
    )


def _scale(selection: Selection) -> str:
    if len(selection.basis.benchmarks) > 1:
        return f"mean of {'weights' if selection.basis.projection == 'l2' else 'ranks'} over benchmarks"
    return selection.basis.estimator
