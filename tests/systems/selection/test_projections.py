"""The projections against scipy's solvers, the conditions that an optimum fulfils, and the reference."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from pyfastlm.errors import InputError
from pyfastlm.selection import l2, linear

Array = NDArray[np.float64]
SIZES = st.sampled_from([1e-9, 1e-3, 1.0, 1e5, 1e18, 1e300])


def assert_feasible(weights: Array, tau: Array) -> None:
    assert weights.dtype == np.float64
    assert (weights >= 0).all()
    assert (weights <= tau).all()
    assert abs(weights.sum() - 1) <= 1e-12


def assert_best_order(weights: Array, estimate: Array, tau: Array) -> None:
    """In the order of the estimate, the first of equals first: full ones, at most one between, empty ones."""
    sorted_weights, caps = (
        v[np.lexsort((np.arange(len(tau)), -estimate))] for v in (weights, np.minimum(tau, 1))
    )
    last = np.flatnonzero(sorted_weights)[-1]
    assert_array_equal(sorted_weights[:last], caps[:last])


def assert_nearest(weights: Array, estimate: Array, tau: Array) -> None:
    """Karush, Kuhn and Tucker: w - estimate is c between the bounds, not less at 0, not more at tau.

    All differences to one pivot, which cancels large estimates exactly; up to the spacing of numbers there.
    """
    pivot = estimate[np.argmin(np.where(weights > 0, estimate, np.inf))]
    shifted = weights - (estimate - pivot)
    near = 1e-11 + 4 * np.spacing(np.abs(estimate - pivot))
    inside = (weights > 1e-12) & (weights < tau - 1e-12)
    full, empty = weights >= tau - 1e-12, weights <= 1e-12
    level = shifted[inside].mean() if inside.any() else None
    if level is not None:
        assert (np.abs(shifted - level)[inside] <= near[inside]).all()
        assert (shifted <= level + near)[full & ~empty].all()
        assert (shifted >= level - near)[empty & ~full].all()
    elif (full & ~empty).any() and (empty & ~full).any():
        assert (shifted - near)[full & ~empty].max() <= (shifted + near)[empty & ~full].min()


@st.composite
def problems(draw: st.DrawFn) -> tuple[Array, Array]:
    count = draw(st.integers(1, 30))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    estimate, scale = random.normal(size=count), draw(SIZES)
    if draw(st.booleans()):
        estimate = np.round(estimate, draw(st.integers(0, 1)))
    estimate *= scale
    if draw(st.booleans()):
        estimate += draw(st.sampled_from([1e5, -1e5, 1e12]))
    estimate = np.clip(estimate, -1e300, 1e300)  # the largest that is taken
    tau = random.choice([0.0, 1e-12, 0.3, 0.5, 1.0, 4.0], size=count) * random.choice([1.0, random.random()])
    missing = 1 - np.minimum(tau, 1).sum()
    if missing > 0:
        tau = tau + missing * draw(st.sampled_from([1.0, 1.5])) / count
    return estimate, tau


@given(problems())
@settings(max_examples=400, deadline=None)
def test_linear_is_feasible_and_best(problem: tuple[Array, Array]) -> None:
    estimate, tau = problem
    weights = linear(estimate, tau)
    assert_feasible(weights, tau)
    assert_best_order(weights, estimate, tau)


@given(problems())
@settings(max_examples=400, deadline=None)
def test_l2_is_feasible_and_nearest(problem: tuple[Array, Array]) -> None:
    estimate, tau = problem
    weights = l2(estimate, tau)
    assert_feasible(weights, tau)
    assert_nearest(weights, estimate, tau)


@pytest.mark.parametrize("seed", range(20))
def test_solvers_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 12))
    estimate, tau = random.normal(size=count), random.random(count)
    tau *= max(1, 1.2 / tau.sum())
    bounds = list(zip(np.zeros(count), tau, strict=True))
    best = linprog(-estimate, A_eq=np.ones((1, count)), b_eq=[1], bounds=bounds)
    assert estimate @ linear(estimate, tau) == pytest.approx(-best.fun, abs=1e-9)
    near = minimize(
        lambda w: ((w - estimate) ** 2).sum(), np.full(count, 1 / count), jac=lambda w: 2 * (w - estimate),
        bounds=bounds, constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    assert_allclose(l2(estimate, tau), near.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_reference(seed: int, reference_projections: ModuleType) -> None:
    random = np.random.default_rng(seed)
    estimate, tau = random.normal(size=2000) * 0.1, random.random(2000) * 0.01
    ours, theirs = l2(estimate, tau), reference_projections.l2(estimate, tau)
    assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    assert_allclose(linear(estimate, tau), reference_projections.linear(estimate, tau), rtol=1e-6, atol=1e-6)
    assert ((estimate - ours) ** 2).sum() <= ((estimate - theirs) ** 2).sum() + 1e-10


PAPER = np.full(10, 0.1)  # sums to 1 on paper, and one after the other to a little less


def test_tau_that_sums_to_one_only_on_paper() -> None:
    assert np.cumsum(PAPER)[-1] < 1
    for project in (linear, l2):
        assert_allclose(project(np.arange(10.0), PAPER), PAPER, rtol=0, atol=1e-15)


def test_the_reference_refuses_such_a_tau(reference_projections: ModuleType) -> None:
    with pytest.raises(ValueError, match="zero-size"):
        reference_projections.linear(np.arange(10.0), PAPER)


def test_large_estimates_end() -> None:
    """Where the reference's bisection goes on for ever: its tolerance is below the spacing of numbers."""
    estimate = np.array([1e5, 1e5, 1e5 - 0.25, -1e5])
    tau = np.array([0.3, 0.5, 0.5, 1.0])
    assert_allclose(l2(estimate, tau), [0.3, 0.475, 0.225, 0], rtol=0, atol=1e-12)
    assert_array_equal(linear(estimate, tau), [0.3, 0.5, 1 - 0.8, 0])


def test_many_domains_sum_to_one() -> None:
    random = np.random.default_rng(0)
    estimate, tau = random.normal(size=1_000_000), random.random(1_000_000) * 1e-5
    for project in (linear, l2):
        assert_feasible(project(estimate, tau), tau)
    assert_feasible(l2(estimate * 1e-7, tau), tau)


def test_equals() -> None:
    tau = np.array([0.4, 0.4, 0.4, 0.1])
    assert_allclose(linear(np.zeros(4), tau), [0.4, 0.4, 0.2, 0], rtol=0, atol=1e-15)
    assert_allclose(l2(np.zeros(4), tau), [0.3, 0.3, 0.3, 0.1], rtol=0, atol=1e-15)


@pytest.mark.parametrize("project", [linear, l2])
def test_one_domain(project: Any) -> None:
    for estimate in (0.0, -3.0, 1e300):
        for tau in (1.0, 2.0, np.inf):
            assert_array_equal(project([estimate], [tau]), [1.0])


@pytest.mark.parametrize("project", [linear, l2])
def test_a_domain_without_weight(project: Any) -> None:
    assert_array_equal(project([9.0, 1.0, 0.5], [0.0, 0.5, 0.5]), [0.0, 0.5, 0.5])


@pytest.mark.parametrize("project", [linear, l2])
def test_tensors(project: Any) -> None:
    found = project(torch.tensor([1.0, 2.0]), torch.tensor([0.75, 0.75]))
    assert found.dtype == torch.float64
    assert_array_equal(found.numpy(), project([1.0, 2.0], [0.75, 0.75]))


@pytest.mark.parametrize("project", [linear, l2])
@pytest.mark.parametrize(
    ("estimate", "tau", "message"),
    [
        ([1.0, 2.0], [0.4, 0.5], r"^tau: expected a sum of 1 or more, got 0.9; lower the budget$"),
        ([1.0, 2.0], [0.0, 0.0], r"^tau: expected a sum of 1 or more, got 0;"),
        ([1.0, 2.0], [2.0, -1.0], r"^tau: expected 0 or more, got -1.0 for domain 1$"),
        ([1.0, 2.0], [2.0, np.nan], r"^tau: expected 0 or more, got nan for domain 1$"),
        ([1.0, 2.0], [1.0], r"^tau: expected \[2\], as estimate, got shape \[1\]$"),
        ([np.nan, 2.0], [1.0, 1.0], r"^estimate: expected finite numbers, got nan for domain 0$"),
        ([1.0, -np.inf], [1.0, 1.0], r"^estimate: expected finite numbers, got -inf for domain 1$"),
        ([], [], r"^estimate: expected \[D\], got shape \[0\]$"),
        ([[1.0]], [1.0], r"^estimate: expected \[D\], got shape \[1, 1\]$"),
        (["a"], [1.0], r"^estimate: expected numbers, got dtype <U1$"),
    ],
)
def test_wrong_input_is_refused(project: Any, estimate: Any, tau: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        project(estimate, tau)
