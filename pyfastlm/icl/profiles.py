"""How sure one number of a fit is: what the fit loses when the number is held elsewhere."""

import math
from typing import NamedTuple

import numpy as np

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.fitting.race import differences
from pyfastlm.icl.laws import Doubles
from pyfastlm.icl.params import named
from pyfastlm.icl.problem import Problem

HOLD = 30.0  # how much more a number's own place weighs than the curves do
WIDEST = 14  # doublings of the first step
CLOSE = 1e-2  # of the deviance asked for, and of the first step
MOST = 30  # places between two
STEP = 1e-6  # of differences


class Profile(NamedTuple):
    """Of the number ``name`` at ``at``: its ``value``, and the interval from ``low`` to ``high`` in which the
    curves speak against it less than ``level`` allows. A side is infinite where they never do: they do not
    determine the number on that side. ``values`` [V] that were held, in order, and ``deviance`` [V] there."""

    name: str
    at: tuple[int, ...]
    value: float
    low: float
    high: float
    level: float
    values: Doubles
    deviance: Doubles


def profile(fit: Fit, name: str, at: tuple[int, ...] = (0,), *, level: float = 0.95) -> Profile:
    """The profile likelihood interval of a number of a fit.

    The number is held at places ever further away, and all the others are fitted again from where they were;
    the deviance is n log(RSS / RSS of the fit), of Gaussian residuals as the fit's loss has them, of all n
    numbers that were fitted jointly (of one curve, for laws of single curves). The interval ends where it
    reaches the quantile of chi-square with one degree of freedom. It describes the optimum of the fit, not
    others that it may have.

    Args:
        fit: what :func:`pyfastlm.icl.fit` returned.
        name: an attribute of ``fit.params``.
        at: which of its numbers, e.g. ``(curve,)`` or, of a likelihood, ``(task, hypothesis)``.
        level: share of the chi-square distribution inside.

    Raises:
        InputError: there is no such number; the level is no share; or the residuals are all 0.
    """
    if not 0 < level < 1:
        raise InputError(f"level: expected a share between 0 and 1, got {level}")
    if name not in type(fit.params).__slots__:
        raise InputError(f"name: expected one of {', '.join(type(fit.params).__slots__)}, got {name!r}")
    shape = getattr(fit.params, name).shape
    if len(at) != len(shape) or any(not 0 <= place < size for place, size in zip(at, shape, strict=True)):
        raise InputError(f"at: expected a place in {name} {list(shape)}, got {at}")
    held = _Held(fit, name, at)
    if held.rss <= 1e-20 * held.count:
        raise InputError("fit: its residuals are all 0, which says nothing about noise")
    limit = float(require("scipy.stats", "icl").chi2.ppf(level, 1))
    found = [(held.value, 0.0)]
    low, high = _end(held, -1.0, limit, found), _end(held, 1.0, limit, found)
    values, deviance = np.array(sorted(found)).T
    return Profile(name, at, held.value, low, high, level, values, deviance)


class _Held:
    """The fit with one of its numbers held."""

    def __init__(self, fit: Fit, name: str, at: tuple[int, ...]) -> None:
        self._fit, self._name, self._at = fit, name, at
        self._problem, self._theta = fit._problem, fit._theta
        if not fit._law.joint:
            (curve,), every = at, fit._problem
            self._problem = Problem(
                every.shots, every.nll[curve : curve + 1], every.known[curve : curve + 1], 1, 1, grouped=False
            )
            self._theta, self._at = fit._theta[curve], (0,)
        self.count = int(self._problem.known.sum())
        self.value = self._number(self._theta)
        r, by = self._differences(self._theta)
        self.rss = float(r @ r)
        slope = self._slope(self._theta)
        noise = math.sqrt(self.rss / max(self.count - len(self._theta), 1))
        values, axes = np.linalg.eigh(by.T @ by)
        along = axes.T @ slope
        seen = values > 1e-12 * max(values[-1], 1e-300)
        error = noise * math.sqrt(float((along[seen] ** 2 / values[seen]).sum())) if seen.any() else 0.0
        self.step = max(error, 1e-6 * max(abs(self.value), 1e-3))
        self._weight = HOLD * noise / self.step

    def near(self, target: float, start: Doubles) -> tuple[float, float, Doubles]:
        """The number where it was held, the deviance there, and all free numbers.

        It may stay a little behind ``target``: the others are the best for the place where it is, so the pair
        is on the profile all the same.
        """
        least_squares = require("scipy.optimize", "icl").least_squares

        def both(theta: Doubles) -> Doubles:
            return np.append(self._differences(theta)[0], self._weight * (self._number(theta) - target))

        def slopes(theta: Doubles) -> Doubles:
            return np.vstack([self._differences(theta)[1], self._weight * self._slope(theta)])

        found = least_squares(both, start, slopes, method="trf", x_scale="jac", max_nfev=200).x
        r, _ = self._differences(found)
        return self._number(found), self.count * math.log(max(float(r @ r), 1e-300) / self.rss), found

    @property
    def theta(self) -> Doubles:
        """All free numbers of the fit."""
        return self._theta

    def _differences(self, theta: Doubles) -> tuple[Doubles, Doubles]:
        shaped = theta if self._fit._law.joint else theta[None]
        return differences(self._fit._law, self._fit._loss, shaped, self._problem, self._fit._layout)

    def _number(self, theta: Doubles) -> float:
        layout = self._fit._layout
        params = named(
            self._fit._law,
            theta if self._fit._law.joint else theta[None],
            self._problem.tasks,
            layout.hypotheses,
            layout.priors,
            layout.speeds,
        )
        return float(getattr(params, self._name)[self._at])

    def _slope(self, theta: Doubles) -> Doubles:
        moves = STEP * np.eye(len(theta))
        return np.array([(self._number(theta + m) - self._number(theta - m)) / (2 * STEP) for m in moves])


def _end(held: _Held, side: float, limit: float, found: list[tuple[float, float]]) -> float:
    """Where the deviance reaches the limit on one side; notes on the way what was ``found``."""
    inside, outside, theta = (held.value, 0.0), None, held.theta
    step = held.step
    for _ in range(WIDEST):
        value, deviance, theta_there = held.near(held.value + side * step, theta)
        found.append((value, deviance))
        if deviance >= limit:
            outside = value, deviance
            break
        if side * (value - inside[0]) <= 1e-9 * held.step:  # it cannot go further
            break
        inside, theta = (value, deviance), theta_there
        step *= 2
    if outside is None:
        return side * math.inf
    for _ in range(MOST):
        if outside[1] - limit <= CLOSE * limit or abs(outside[0] - inside[0]) <= CLOSE * held.step:
            break
        low, high = math.sqrt(max(inside[1], 0.0)), math.sqrt(outside[1])  # which are nearly straight
        share = min(max((math.sqrt(limit) - low) / (high - low), 0.1), 0.9)
        value, deviance, theta_there = held.near(inside[0] + share * (outside[0] - inside[0]), theta)
        found.append((value, deviance))
        if deviance >= limit:
            outside = value, deviance
        else:
            inside, theta = (value, deviance), theta_there
    return outside[0]
