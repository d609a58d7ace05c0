"""What a fit found, by the names of the paper."""

from dataclasses import dataclass

import numpy as np

from pyfastlm.icl.laws import Doubles, Law

STEEP = 15.0  # the largest exponent


@dataclass(frozen=True, slots=True)
class Power:
    """exp(C) n^-alpha + exp(K): each [C], one number a curve."""

    C: Doubles
    alpha: Doubles
    K: Doubles


@dataclass(frozen=True, slots=True)
class BoundedPower:
    """exp(C) (1 + n / exp(n_c))^-alpha + exp(K): each [C], one number a curve."""

    C: Doubles
    alpha: Doubles
    K: Doubles
    n_c: Doubles


@dataclass(frozen=True, slots=True)
class Logistic:
    """exp(L) / (1 + (n / exp(x0))^K) + exp(C): each [C], one number a curve."""

    L: Doubles
    K: Doubles
    x0: Doubles
    C: Doubles


@dataclass(frozen=True, slots=True)
class Bayesian:
    """``prior`` [G, M] of the hypotheses and ``efficiency`` [G] (K of the paper), a row for each group of
    curves; ``likelihood`` [tasks, M], what a hypothesis gives to an example of a task."""

    prior: Doubles
    efficiency: Doubles
    likelihood: Doubles


Params = Power | BoundedPower | Logistic | Bayesian


def named(law: Law, theta: Doubles, tasks: int, hypotheses: int, priors: int, speeds: int) -> Params:
    """Names for free numbers: [C, P] of curves, or [P] of a joint law."""
    if law.name == "power":
        c, alpha, k = theta.T
        return Power(c, _exponent(alpha), k)
    if law.name == "bounded_power":
        c, alpha, k, n_c = theta.T
        return BoundedPower(c, _exponent(alpha), k, n_c)
    if law.name == "logistic":
        scale, k, x0, c = theta.T
        return Logistic(scale, _exponent(k), x0, c)
    free = theta[: priors * hypotheses].reshape(priors, hypotheses)
    weights = np.exp(free - free.max(axis=1, keepdims=True))
    speed = _softplus(theta[priors * hypotheses :][:speeds])
    log_p = -_softplus(theta[priors * hypotheses + speeds :])
    if law.name == "bayesian":
        likelihood = log_p.reshape(tasks, hypotheses)
    else:
        own, other = log_p.reshape(2, -1)
        by_column = law.name == "bayesian_sampling"
        shape = (1, hypotheses) if by_column else (tasks, 1)
        own, other = own.reshape(shape), (own + other).reshape(shape)
        likelihood = np.where(np.eye(tasks, hypotheses, dtype=bool), own, other)
    return Bayesian(weights / weights.sum(axis=1, keepdims=True), speed, np.exp(likelihood))


def _softplus(x: Doubles) -> Doubles:
    value: Doubles = np.logaddexp(x, 0.0)
    return value


def _exponent(free: Doubles) -> Doubles:
    return np.minimum(_softplus(free), STEEP)
