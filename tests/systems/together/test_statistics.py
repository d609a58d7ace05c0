"""Intervals against scipy, and the bootstrap against what it must be."""

import numpy as np
import pytest
from scipy import stats

from pyfastlm.errors import InputError
from pyfastlm.together.strategies.statistics import Outcome, contrast, wilson


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (37, 74), (1, 300), (1, 1)])
def test_wilson_is_scipys(right: int, count: int) -> None:
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    found = wilson(right, count)
    assert found.value == right / count
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(("right", "count"), [(0, 0), (-1, 3), (4, 3)])
def test_impossible_shares(right: int, count: int) -> None:
    with pytest.raises(InputError, match="right: expected 0 to count"):
        wilson(right, count)


def outcomes(count: int, seed: int, *chances: float) -> list[Outcome]:
    drawn = np.random.default_rng(seed).random((count, len(chances))) < chances
    return [Outcome(f"row-{n}", tuple(map(bool, row))) for n, row in enumerate(drawn)]


def test_difference_is_as_wide_as_its_standard_error() -> None:
    given = outcomes(400, 0, 0.7, 0.5)
    found = contrast(given, (1, -1))
    values = np.array([each.right for each in given], float) @ [1, -1]
    assert found.value == values.mean()
    error = values.std(ddof=1) / 20
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_pairing_is_kept() -> None:
    # Two programs that are right on the same rows differ by exactly nothing, whatever rows are drawn.
    same = [Outcome(each.id, each.right * 2) for each in outcomes(100, 1, 0.5)]
    assert contrast(same, (1, -1)) == (0, 0, 0)


def test_interaction() -> None:
    given = outcomes(200, 2, 0.9, 0.6, 0.7, 0.5)
    means = np.array([each.right for each in given], float).mean(axis=0)
    found = contrast(given, (1, -1, -1, 1))
    assert found.value == pytest.approx(means @ [1, -1, -1, 1])
    assert found.low < found.value < found.high


def test_a_row_under_several_seeds_is_one() -> None:
    once = outcomes(100, 3, 0.6)
    again = contrast(once * 4, (1,))
    alone = contrast(once, (1,))
    assert again == pytest.approx(alone)  # four times the same says no more than once
    apart = contrast([Outcome(f"{n}-{each.id}", each.right) for n in range(4) for each in once], (1,))
    assert apart.high - apart.low < 0.7 * (alone.high - alone.low)


def test_seeded() -> None:
    given = outcomes(4001, 4, 0.5)
    assert contrast(given, (1,), seed=1) == contrast(given, (1,), seed=1)
    assert contrast(given, (1,), seed=1) != contrast(given, (1,), seed=2)


def test_refused() -> None:
    with pytest.raises(InputError, match="outcomes: expected at least one"):
        contrast([], (1,))
    with pytest.raises(InputError, match="outcomes: expected 2 programs each, got 1"):
        contrast(outcomes(3, 0, 0.5), (1, -1))
