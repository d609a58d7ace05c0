"""What a fit is: its numbers, how sure they are, and what it predicts."""

import math
from dataclasses import dataclass, field

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.fitting.doubts import doubts
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.race import predicted
from pyfastlm.icl.laws import Doubles, Law
from pyfastlm.icl.params import Bayesian, Params, named
from pyfastlm.icl.problem import Problem, shots_of

SAME, ROUNDING = 1e-3, 1e-12  # relative and absolute difference of losses that are called equal


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A law fitted to curves.

    Attributes:
        law: its name.
        params: what was found, by the names of the paper.
        loss: the sum over all known numbers, as the ``loss`` of :func:`pyfastlm.icl.fit` asks.
        nrmse: root mean square error of probabilities, over their mean; NaN where all are 0.
        nrmse_nll: the same of losses in nats; NaN where one is infinite, or all are 0.
        n_params: how many free numbers were fitted to how many, ``n_points``.
        start_losses: [T] of the best places that were found, one for each start asked for, summed over curves
            that are fitted alone. Those of ``bayesian`` take likelihoods over from each other.
        reached: how many of these came within a thousandth of the best.
        converged: the best start came to rest, for every curve.
        warnings: what not to trust, in words; empty for a sound fit.
    """

    law: str
    params: Params
    loss: float
    nrmse: float
    nrmse_nll: float
    n_params: int
    n_points: int
    start_losses: Doubles
    reached: int
    converged: bool
    warnings: tuple[str, ...]
    _loss: str = field(repr=False)
    _law: Law = field(repr=False)
    _theta: Doubles = field(repr=False)
    _problem: Problem = field(repr=False)
    _layout: Layout = field(repr=False)

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log likelihood: less is better, for the same curves and loss.

        The likelihood is that of residuals as ``loss`` has them (of probabilities for ``mse_prob``), Gaussian
        with one variance, the best one, for all numbers; that is counted too: k = ``n_params`` + 1. Numbers
        that the curves do not determine count like any others.
        """
        return 2.0 * (self.n_params + 1) + self._twice_log_loss()

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(n_points) - 2 log likelihood, with the same k and likelihood."""
        return math.log(self.n_points) * (self.n_params + 1) + self._twice_log_loss()

    def _twice_log_loss(self) -> float:
        rss = self.loss * (2.0 if self._loss.startswith("huber") else 1.0)
        variance = rss / self.n_points
        return self.n_points * (math.log(2 * math.pi * variance) + 1) if variance > 0 else -math.inf

    def predict(self, shots: object) -> Doubles:
        """Losses in nats [C, S], or [G, C, S] where curves were given so, after ``shots`` [S] examples.

        Raises:
            InputError: a number of shots is below 1.
        """
        n = shots_of(shots)
        loss, _ = predicted(self._law, self._theta, self._problem, self._layout, n)
        groups, tasks = self._problem.groups, self._problem.tasks
        return loss.reshape(groups, tasks, len(n)) if self._problem.grouped else loss

    def posterior(self, shots: object) -> Doubles:
        """What a Bayesian learner believes after ``shots`` examples of each curve's task: [C, S, M].

        Raises:
            InputError: the law is not Bayesian, or a number of shots is below 0.
        """
        found = self.params
        if not isinstance(found, Bayesian):
            raise InputError(f"law: {self.law} has no hypotheses to believe in")
        n = shots_of(shots, least=0)
        task, _ = self._layout.places(self._law, self._problem)
        group = np.repeat(np.arange(self._problem.groups), self._problem.tasks)
        prior = found.prior[np.minimum(group, self._layout.priors - 1)]
        speed = found.efficiency[np.minimum(group, self._layout.speeds - 1)]
        evidence = speed[:, None, None] * n[:, None] * np.log(found.likelihood[task])[:, None]
        belief = np.log(prior)[:, None] + evidence
        belief = np.exp(belief - belief.max(axis=-1, keepdims=True))
        sure: Doubles = belief / belief.sum(axis=-1, keepdims=True)
        return sure


def relative_error(truth: Doubles, guess: Doubles) -> float:
    """The root mean square error over the mean of ``truth``; NaN where that is 0 or infinite."""
    mean = float(truth.mean())
    if mean == 0 or not np.isfinite(mean):
        return float("nan")
    return float(np.sqrt(np.mean((truth - guess) ** 2)) / mean)


def _shape(problem: Problem, layout: Layout) -> tuple[int, int, int, int]:
    return problem.tasks, layout.hypotheses, layout.priors, layout.speeds


def judged(
    law: Law, loss: str, theta: Doubles, start_losses: Doubles, rests: bool, problem: Problem, layout: Layout
) -> Fit:
    """Name the numbers that were found, and say what is doubtful about them."""
    nll, by = predicted(law, theta, problem, layout, problem.shots)
    known = problem.known
    best = float(start_losses.min())
    reached = int((start_losses <= best * (1 + SAME) + ROUNDING).sum())
    return Fit(
        law=law.name,
        params=named(law, theta, *_shape(problem, layout)),
        loss=best,
        nrmse=relative_error(np.exp(-problem.nll[known]), np.exp(-nll[known])),
        nrmse_nll=relative_error(problem.nll[known], nll[known]),
        n_params=theta.size,
        n_points=int(known.sum()),
        start_losses=start_losses,
        reached=reached,
        converged=rests,
        warnings=tuple(doubts(law, by, nll, problem, layout, reached, len(start_losses), rests)),
        _loss=loss,
        _law=law,
        _theta=theta,
        _problem=problem,
        _layout=layout,
    )
