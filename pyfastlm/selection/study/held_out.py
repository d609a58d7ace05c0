"""The result of a held-out rank prediction: for each benchmark, ways to predict it side by side."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.study.joining import LeftOut
from pyfastlm.selection.study.names import interval, shown

SELECTED, BASELINE, RANDOM, INVERTED = "selected", "all domains", "random", "inverted"
COLUMNS = ("benchmark", "mean bits/byte on", "rho", "95 %", "gain", "95 %", "pairs")


class Way(NamedTuple):
    """How well the mean bits per byte on some domains ranks models that were not used to choose them.

    Attributes:
        name: the domains selected, all of them, random ones within the same budget, or those selected with
            the sign of the estimate turned.
        spearman: with the error; for random selections the mean over draws.
        low, high: its interval, from halves of the families; for random selections that of the draws.
        gain, gain_low, gain_high: the same of the difference to all domains.
        pairs: share of pairs of models of one fold, of different errors, that are ordered rightly; 0.5 is
            chance.
    """

    name: str
    spearman: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    pairs: float


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """One benchmark, or a group of them.

    Attributes:
        name: of it.
        models, families: [N], those with an error.
        left_out: models that do not count.
        fold: [N], in which a model was held out.
        error: [N] float64; of a group the mean of ranks.
        predicted: [N, 3] float64: mean bits per byte on the domains selected, on all, and on those selected
            in the inverse order, in units of the spread of the models that were not held out.
        ways: the comparison.
        above_random: share of random selections that the selected one is above; half for equals.
        shared: mean share of the budget that selections of two folds have in common.
        replicates: halves of the families that allowed a prediction.
    """

    name: str
    models: tuple[str, ...]
    families: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    fold: NDArray[np.intp]
    error: Doubles
    predicted: Doubles
    ways: tuple[Way, ...]
    above_random: float
    shared: float
    replicates: int

    @property
    def folds(self) -> int:
        """How many there were."""
        return 1 + int(self.fold.max())

    def way(self, name: str) -> Way:
        """By its name."""
        return next(way for way in self.ways if way.name == name)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Of all benchmarks; ``draws`` of random selections, ``replicates``, ``level`` and ``seed`` as used."""

    benchmarks: tuple[HeldOut, ...]
    draws: int
    replicates: int
    level: float
    seed: int

    def columns(self) -> list[str]:
        """Heads of :meth:`cells`."""
        return [column.replace("95", f"{100 * self.level:g}") for column in COLUMNS]

    def cells(self) -> list[list[str]]:
        """A row of a table for each benchmark and way."""
        return [
            [
                shown(benchmark.name) if not number else "",
                way.name,
                f"{way.spearman:.3f}",
                interval(way.low, way.high, ".2f"),
                "" if way.name == BASELINE else f"{way.gain:+.3f}",
                "" if way.name == BASELINE else interval(way.gain_low, way.gain_high, "+.2f"),
                f"{way.pairs:.3f}",
            ]
            for benchmark in self.benchmarks
            for number, way in enumerate(benchmark.ways)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the single predictions, for JSON."""
        return {
            "draws": self.draws,
            "replicates": self.replicates,
            "level": self.level,
            "seed": self.seed,
            "benchmarks": [
                {
                    "name": benchmark.name,
                    "models": len(benchmark.models),
                    "families": len(set(benchmark.families)),
                    "folds": benchmark.folds,
                    "above_random": benchmark.above_random,
                    "shared": benchmark.shared,
                    "replicates": benchmark.replicates,
                    "ways": [way._asdict() for way in benchmark.ways],
                }
                for benchmark in self.benchmarks
            ],
        }
