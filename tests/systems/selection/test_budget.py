"""Token budgets to the token; benchmarks combined by rank."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import rankdata

from pyfastlm.errors import InputError
from pyfastlm.selection import allot, bounds, combine, l2, linear


def test_bounds() -> None:
    assert_allclose(bounds([10, 30, 60], keep=0.5), [0.2, 0.6, 1.2])
    assert_allclose(bounds([10, 30, 60], budget=50), [0.2, 0.6, 1.2])
    assert_allclose(bounds([10, 30, 60], budget=200, repeats=2), [0.1, 0.3, 0.6])
    assert bounds(torch.tensor([10, 30]), keep=1).tolist() == [0.25, 0.75]


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=40).filter(any),
    st.floats(1e-3, 1),
    st.integers(0, 2**20),
    st.sampled_from([linear, l2]),
)
@settings(max_examples=300, deadline=None)
def test_a_selection_meets_its_budget_to_the_token(
    tokens: list[int], keep: float, seed: int, project: Any
) -> None:
    budget = max(int(keep * sum(tokens)), 1)
    estimate = np.random.default_rng(seed).normal(size=len(tokens))
    weights = project(estimate, bounds(tokens, budget=budget))
    given = allot(weights, budget, tokens=tokens)
    assert given.sum() == budget
    assert given.dtype == np.int64
    assert (given >= 0).all()
    assert (given <= tokens).all()
    assert np.abs(given - weights * budget).max() < 1.001


def test_remainders() -> None:
    assert_array_equal(allot([0.5, 0.25, 0.25], 2), [1, 1, 0])
    assert_array_equal(allot([0.5, 0.25, 0.25], 0), [0, 0, 0])
    assert_array_equal(allot([1 / 3, 1 / 3, 1 / 3], 10**12 + 1).sum(), 10**12 + 1)
    assert allot(torch.tensor([0.5, 0.5]), 3).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounds([1, 2]), r"^keep: expected keep or budget, one of the two$"),
        (lambda: bounds([1, 2], keep=0.5, budget=1), r"^keep: expected keep or budget"),
        (lambda: bounds([1, 2], keep=0), r"^keep: expected a part above 0 and up to 1, got 0$"),
        (lambda: bounds([1, 2], keep=1.5), r"^keep: expected a part above 0 and up to 1, got 1.5$"),
        (lambda: bounds([1, 2], budget=0), r"^budget: expected 1 token or more, got 0$"),
        (lambda: bounds([1, 2], budget=4), r"^budget: expected at most 3 tokens, all there are, got 4$"),
        (lambda: bounds([1, 2], keep=1, repeats=0), r"^repeats: expected a number above 0, got 0$"),
        (lambda: bounds([0, 0], keep=1), r"^tokens: expected some, got 0 in all domains$"),
        (lambda: bounds([1, -2], keep=1), r"^tokens: expected 0 or more, got -2.0 for domain 1$"),
        (lambda: bounds([], keep=1), r"^tokens: expected \[D\], got shape \[0\]$"),
        (lambda: allot([0.5, 0.6], 3), r"^weights: expected \[D\], 0 or more, with a sum of 1"),
        (lambda: allot([0.5, 0.5], 2.5), r"^budget: expected a whole number of tokens, got 2.5$"),
        (lambda: allot([0.5, 0.5], 10, tokens=[5]), r"^tokens: expected \[2\], as weights, got shape \[1\]$"),
        (lambda: allot([0.5, 0.5], 10, tokens=[2, 9]), r"^tokens: domain 0 has 2, its share is 5;"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_combining_benchmarks() -> None:
    values = np.round(np.random.default_rng(0).normal(size=(50, 4)), 1)
    ranks = (2 * rankdata(values, axis=0) - 51) / 49
    assert_allclose(combine(values), ranks.mean(axis=1), rtol=0, atol=1e-15)
    groups = {"reading": [0, 2], "facts": [3]}
    found = combine(values, groups)
    assert_allclose(found, np.stack([ranks[:, [0, 2]].mean(axis=1), ranks[:, 3]], axis=1), rtol=0, atol=1e-15)
    assert_array_equal(combine(values * [1, 100, 1e-6, 7]), combine(values))
    assert_array_equal(combine([[3.0, 1.0]]), [0.0])
    assert isinstance(combine(torch.from_numpy(values)), torch.Tensor)


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        (np.ones(3), None, r"^estimates: expected \[D, K\], got shape \[3\]$"),
        (
            np.full((2, 2), np.nan),
            None,
            r"^estimates: expected finite numbers, got nan for domain 0, benchmark 0",
        ),
        (np.ones((2, 2)), {"a": [2]}, r"^groups: 'a': expected columns from 0 to 1, got \[2\]$"),
        (np.ones((2, 2)), {"a": []}, r"^groups: 'a': expected columns from 0 to 1, got \[\]$"),
    ],
)
def test_wrong_groups_are_refused(values: Any, groups: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        combine(values, groups)
