"""From the estimates for a group of benchmarks to a score of each domain, and to weights within a budget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.selection.aggregation import combine
from pyfastlm.selection.closed_forms import Doubles
from pyfastlm.selection.projections import SLACK, l2, linear

ProjectionName = Literal["linear", "l2"]

# What an estimator tends to for Gaussian x with a correlation rho between y's argument and x, solved for rho.
INVERSES: dict[str, Callable[[Doubles], Doubles]] = {
    "spearmanr": lambda estimate: 2 * np.sin(np.pi / 6 * estimate),
    "sign_cdf": lambda estimate: 2 * np.sin(np.pi / 2 * np.clip(estimate, -1 / 3, 1 / 3)),
    "sign_sign": lambda estimate: np.sin(np.pi / 2 * estimate),
}


@dataclass(frozen=True, slots=True, eq=False)
class Projector:
    """Scores and weights from the estimates [K, D] of a group of benchmarks.

    A domain without an estimate (NaN), for any benchmark of the group, has no score and no weight.

    Attributes:
        estimator: whose estimates they are.
        projection: ``"linear"`` or ``"l2"``.
        tau: [D], the greatest weight of each domain.
    """

    estimator: str
    projection: ProjectionName
    tau: Doubles

    def __post_init__(self) -> None:
        if self.projection not in get_args(ProjectionName):
            raise InputError(f"projection: expected linear or l2, got {self.projection!r}")

    def scores(self, estimates: Doubles) -> Doubles:
        """[D]: the estimate of one benchmark; of several the mean of ranks, for l2 the mean of weights."""
        if len(estimates) == 1:
            return np.asarray(estimates[0])
        there = np.isfinite(estimates).all(axis=0)
        scores = np.full(estimates.shape[1], np.nan)
        if self.projection == "l2":
            scores[there] = self._invert(estimates[:, there]).mean(axis=0)
        elif there.any():
            scores[there] = combine(estimates[:, there].T)
        return scores

    def weights(self, scores: Doubles, benchmarks: int) -> Doubles | None:
        """[D] with a sum of 1; None where domains with a score have too little text for the budget."""
        there = np.isfinite(scores)
        if self.tau[there].sum() < 1 - SLACK:
            return None
        values = scores[there]
        if self.projection == "l2" and benchmarks == 1:
            values = self._invert(values)
        weights = np.zeros_like(scores)
        weights[there] = (l2 if self.projection == "l2" else linear)(values, self.tau[there])
        rounding = weights <= SLACK
        if weights[rounding].sum() < 1e-10:  # left over, no domain; many equal ones may be as small
            weights[rounding] = 0.0
        return weights

    def at_random(self, order: Doubles) -> Doubles | None:
        """[D] of the domains in a random order [D], NaN left out, each in full while the budget lasts."""
        return Projector(self.estimator, "linear", self.tau).weights(order, 1)

    def _invert(self, estimates: Doubles) -> Doubles:
        """As weights; those that have no inverse stay as they are."""
        inverse = INVERSES.get(self.estimator)
        return estimates if inverse is None else inverse(estimates)


def shared(one: Doubles, other: Doubles) -> float:
    """How much two distributions over domains have in common: the sum of the lesser weights, 0 to 1."""
    return float(np.minimum(one, other).sum())
