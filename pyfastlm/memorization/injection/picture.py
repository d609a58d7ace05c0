"""Length against repetitions, a line for each checkpoint, drawn by matplotlib."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pyfastlm.lm.files.pictures import picture

COLOURS = ("#0b6e99", "#d1495b", "#4f772d", "#8a5a00", "#5f4b8b", "#444444")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: mean ``lengths`` [n] in tokens at ``repetitions`` [n], from ``low`` [n] to ``high`` [n] where
    an interval is known; ``dashed`` tells a second kind of lines apart."""

    label: str
    repetitions: tuple[int, ...]
    lengths: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    dashed: bool = False


def draw(curves: Sequence[Curve], path: "str | os.PathLike[str]", *, limit: int | None = None) -> None:
    """Write the picture; the same curves give the same bytes.

    Args:
        curves: lines of one colour for each checkpoint, in the order of the legend.
        path: ``.png``, ``.svg`` or ``.pdf``.
        limit: the most tokens that could be counted, drawn as a line.

    Raises:
        InputError: the path has another suffix, or its directory is not there.
        MissingExtra: matplotlib is not installed.
        OSError: it cannot be written.
    """
    with picture(path, (6.4, 4), "memorization") as figure:
        axes = figure.subplots()
        labels = list(dict.fromkeys(curve.label.partition(",")[0] for curve in curves))
        for curve in curves:
            colour = COLOURS[labels.index(curve.label.partition(",")[0]) % len(COLOURS)]
            style = "--" if curve.dashed else "-"
            axes.plot(
                curve.repetitions, curve.lengths, style, color=colour, marker="o", ms=4, label=curve.label
            )
            if curve.low:
                axes.fill_between(curve.repetitions, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        if limit is not None:
            axes.axhline(limit, color="#999999", lw=0.8, ls=":")
            axes.annotate("limit", (1, limit), (-2, -9), color="#777777", xycoords=axes.get_yaxis_transform(),
                          textcoords="offset points", ha="right")  # fmt: skip
        ticks = sorted({count for curve in curves for count in curve.repetitions})
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axes.minorticks_off()
        axes.set_xlim(-0.1, 1.15 * max(ticks[-1], 1))
        axes.set_ylim(bottom=0)
        axes.set_xlabel("repetitions in training")
        axes.set_ylabel("longest verbatim continuation, tokens")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
