"""How much the pairs of a builder differ, as a whole."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import expect
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.progress import watched
from pyfastlm.preference.contrast.measuring import Contrast, contrast
from pyfastlm.preference.pairs import PreferencePair

REPLICATES = 1000  # of an interval

MEASURES: dict[str, Callable[[Contrast], float]] = {
    "jaccard": lambda each: each.jaccard,
    "levenshtein": lambda each: each.levenshtein,
    "changed": lambda each: each.changed,
    "length_ratio": lambda each: each.length_ratio,
    "spans": lambda each: len(each.spans),
}


class Summary(NamedTuple):
    """Of one measure over all pairs; ``low`` and ``high`` are a bootstrap's 95 % interval of the mean."""

    mean: float
    low: float
    high: float
    quartile: float
    median: float
    upper_quartile: float


@dataclass(frozen=True)
class ContrastReport:
    """What :func:`contrast_report` returns.

    Attributes:
        contrasts: of each pair, in their order.
        summaries: of each measure, by its name.
    """

    contrasts: tuple[Contrast, ...]
    summaries: dict[str, Summary]

    def as_dict(self) -> dict[str, Any]:
        """The summaries, for JSON."""
        measures = {name: summary._asdict() for name, summary in self.summaries.items()}
        return {"pairs": len(self.contrasts), "measures": measures}

    def values(self, measure: str) -> NDArray[np.float64]:
        """One measure of each pair [pairs]."""
        return np.array([MEASURES[measure](each) for each in self.contrasts], np.float64)


def contrast_report(
    pairs: Iterable[PreferencePair], *, seed: int = 0, progress: bool = False
) -> ContrastReport:
    """Measure each pair, and summarise.

    Args:
        pairs: at least one.
        seed: of the intervals.
        progress: a bar on standard error.

    Raises:
        InputError: there is no pair.
        InputTypeError: one is no :class:`PreferencePair`.
        MissingExtra: rapidfuzz is not installed.
    """
    expect(["rapidfuzz"], "preference")
    given = list(pairs)
    if not given:
        raise InputError("pairs: expected at least one, got none")
    for pair in given:
        if not isinstance(pair, PreferencePair):
            raise InputTypeError(f"pairs: expected PreferencePair, got {type(pair).__name__}")
    found = tuple(contrast(pair) for pair in watched(given, len(given), "pairs", progress))
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(len(found), size=len(found)) for _ in range(REPLICATES)]
    summaries = {
        name: _summary(np.array([value(each) for each in found], np.float64), drawn)
        for name, value in MEASURES.items()
    }
    return ContrastReport(found, summaries)


def _summary(values: NDArray[np.float64], drawn: Sequence[NDArray[np.int64]]) -> Summary:
    low, high = np.quantile([values[rows].mean() for rows in drawn], [0.025, 0.975])
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    return Summary(float(values.mean()), float(low), float(high), *map(float, quartiles))
