"""The laws against their formulas written out, and their derivatives against differences."""

import numpy as np
import pytest

from pyfastlm.icl import LAWS
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.race import predicted
from pyfastlm.icl.params import Bayesian, BoundedPower, Logistic, Power, named
from pyfastlm.icl.problem import problem

SHOTS = np.array([1.0, 2, 3, 5, 8, 40, 300])
TASKS, HYPOTHESES, GROUPS = 3, 4, 2


def given(law: str, seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    each = LAWS[law]
    curves = problem(SHOTS, np.ones((GROUPS, TASKS, len(SHOTS))), "mse_prob", "raise")
    layout = Layout(HYPOTHESES, GROUPS, 1)
    width = len(each.published(TASKS, HYPOTHESES)) + (GROUPS - 1) * HYPOTHESES * each.joint
    shape = (width,) if each.joint else (GROUPS * TASKS, width)
    return each, rng.normal(size=shape), curves, layout


def written_out(params, group: int, task: int, curve: int) -> np.ndarray:
    n = SHOTS
    match params:
        case Power(C, alpha, K):
            return np.exp(C[curve]) * n ** -alpha[curve] + np.exp(K[curve])
        case BoundedPower(C, alpha, K, n_c):
            return np.exp(C[curve]) * (1 + n / np.exp(n_c[curve])) ** -alpha[curve] + np.exp(K[curve])
        case Logistic(L, K, x0, C):
            return np.exp(L[curve]) / (1 + (n / np.exp(x0[curve])) ** K[curve]) + np.exp(C[curve])
        case Bayesian(prior, efficiency, likelihood):
            p, k = likelihood[task], efficiency[0]
            with_it = (prior[group] * p ** (k * n[:, None] + 1)).sum(axis=1)
            return -np.log(with_it / (prior[group] * p ** (k * n[:, None])).sum(axis=1))
    raise AssertionError(params)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_law_is_its_formula(law: str, seed: int) -> None:
    each, theta, curves, layout = given(law, seed)
    loss, _ = predicted(each, theta, curves, layout, SHOTS)
    params = named(each, theta, TASKS, HYPOTHESES, GROUPS, 1)
    for curve in range(GROUPS * TASKS):
        expected = written_out(params, curve // TASKS, curve % TASKS, curve)
        np.testing.assert_allclose(loss[curve], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_derivatives_are_those_of_the_law(law: str) -> None:
    each, theta, curves, layout = given(law, 5)
    _, by = predicted(each, theta, curves, layout, SHOTS)
    for p in range(theta.shape[-1]):
        step = np.zeros(theta.shape[-1])
        step[p] = 1e-5
        above, below = (predicted(each, theta + s, curves, layout, SHOTS)[0] for s in (step, -step))
        np.testing.assert_allclose(by[..., p], (above - below) / 2e-5, rtol=1e-5, atol=1e-7)


def test_tied_likelihoods_go_by_column_in_sampling_and_by_row_in_scoring() -> None:
    for law, axis in (("bayesian_sampling", 0), ("bayesian_scoring", 1)):
        each, theta, _, _ = given(law, 3)
        likelihood = named(each, theta, TASKS, HYPOTHESES, GROUPS, 1).likelihood
        off = np.where(np.eye(TASKS, HYPOTHESES, dtype=bool), np.nan, likelihood)
        assert np.nanstd(off, axis=axis).max() < 1e-12
        assert np.nanstd(off, axis=1 - axis).min() > 1e-3
        assert (np.diagonal(likelihood) >= np.nanmax(off[:, :TASKS], axis=axis)[:TASKS]).all()


@pytest.mark.parametrize("law", LAWS)
def test_numbers_far_out_stay_finite(law: str) -> None:
    each, theta, curves, layout = given(law, 1)
    for far in (50.0, 800.0, -50.0, -800.0):
        loss, by = predicted(each, np.full_like(theta, far), curves, layout, SHOTS)
        assert np.isfinite(loss).all()
        assert np.isfinite(by).all()
        assert (loss >= 0).all()
