"""The picture of a report: what became of chosen and rejected answers in each run."""

from collections.abc import Mapping
from pathlib import Path

from pyfastlm.lm.files.pictures import picture
from pyfastlm.preference.runs.result import RunResult

EXTRA = "preference"
SIDES = {"chosen": ("#1f4e8c", 0.12), "rejected": ("#c23b22", -0.12)}  # colour, and how far above its line


def changes(runs: Mapping[str, RunResult], path: Path) -> None:
    """Mean changes with their intervals, a line for each run; a panel for pairs held out and one for those
    learnt from."""
    places = range(len(runs))
    with picture(path, (8.0, 1.4 + 0.42 * len(runs)), EXTRA) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, part, title in zip(
            panels, ("held_out", "learnt"), ("held out", "learnt from"), strict=True
        ):
            for side, (colour, above) in SIDES.items():
                found = [getattr(getattr(run, part), side) for run in runs.values()]
                axes.errorbar(
                    [each.value for each in found],
                    [place - above for place in places],
                    xerr=[
                        [max(0.0, each.value - each.low) for each in found],
                        [max(0.0, each.high - each.value) for each in found],
                    ],
                    fmt="o",
                    markersize=4,
                    linewidth=1.2,
                    color=colour,
                    label=side,
                )
            axes.axvline(0, color="#888888", linewidth=0.8)
            axes.set_title(title, loc="left", fontsize=9)
            axes.set_xlabel("change of log-probability, nats")
        panels[0].set_yticks([*places], [*runs])
        panels[0].set_ylim(len(runs) - 0.5, -0.5)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=7)
