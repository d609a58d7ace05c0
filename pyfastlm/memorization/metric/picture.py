"""Lengths by start and prefix length, a panel for each sequence, drawn by matplotlib."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.files.pictures import check_picture, picture
from pyfastlm.memorization.metric.lengths import LengthRow

MOST = 12  # panels
LONGEST = 60  # characters of a name


def draw(rows: Sequence[LengthRow], path: Path) -> None:
    """Write a heat map of each sequence, the first 12: starts to the right, prefix lengths upwards.

    Colours are tokens reproduced; crosses mark prompts that are copied, white places have no prompt. The
    same rows give the same bytes.

    Raises:
        InputError: the path has another suffix or directory, or there are no rows.
        MissingExtra: matplotlib is not installed.
    """
    check_picture(path, "memorization")
    panels = [(name, [*of]) for name, of in groupby(rows, key=lambda row: row.sequence_id)][:MOST]
    if not panels:
        raise InputError("picture: no text has a prompt to be shown")
    with picture(path, (8, 0.6 + 1.3 * len(panels)), "memorization") as figure:
        axes = figure.subplots(len(panels), squeeze=False)[:, 0]
        most = max(row.limit for row in rows)
        for place, (name, of) in zip(axes, panels, strict=True):
            image = _panel(place, of, most)
            place.set_title(name if len(name) <= LONGEST else f"{name[:LONGEST]}...", loc="left", fontsize=9)
        axes[-1].set_xlabel("start of the prompt, in tokens")
        figure.colorbar(image, ax=axes, label="tokens reproduced")


def _panel(axes: Any, rows: Sequence[LengthRow], most: int) -> Any:
    prefixes = sorted({row.p for row in rows})
    starts = sorted({row.start for row in rows})
    grid = np.full((len(prefixes), len(starts)), np.nan)
    column = {start: number for number, start in enumerate(starts)}
    for row in rows:
        grid[prefixes.index(row.p), column[row.start]] = row.length
    image = axes.imshow(
        grid, aspect="auto", origin="lower", interpolation="nearest", cmap="viridis", vmin=0, vmax=most
    )
    copied = [(column[row.start], prefixes.index(row.p)) for row in rows if row.copied]
    if copied:
        axes.scatter(*zip(*copied, strict=True), marker="x", s=8, linewidths=0.6, color="#d1495b")
    axes.set_yticks(range(len(prefixes)), [str(p) for p in prefixes])
    axes.set_ylabel("prefix")
    ticks = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), 9)).round().astype(int))
    axes.set_xticks(ticks, [str(starts[tick]) for tick in ticks])
    return image
