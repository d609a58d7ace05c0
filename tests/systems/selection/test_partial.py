"""Partial rank correlation against residuals of ranks; what it tells apart."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from planted import errors_of, matrix_of, plant
from scipy import stats

from pyfastlm.errors import InputError
from pyfastlm.selection import Options, blocks, correlate, partial_spearmanr, select, spearmanr


def residuals(values: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Of ranks, after a straight line on the ranks of ``given``."""
    a, b = stats.rankdata(values), stats.rankdata(given)
    return a - np.polyval(np.polyfit(b, a, 1), b)


@pytest.mark.parametrize("digits", [9, 1])
def test_it_is_the_correlation_of_residuals_of_ranks(digits: int) -> None:
    x, y, _ = plant(1, models=25, domains=30, quality=0.7)
    x, values = np.round(x, digits), np.round(np.column_stack([y, y[::-1]]), digits)
    given = np.round(x.mean(axis=1), 9)
    found = partial_spearmanr(x, values, given)
    expected = [
        [stats.pearsonr(residuals(column, given), residuals(own, given)).statistic for own in values.T]
        for column in x.T
    ]
    assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert_allclose(partial_spearmanr(blocks(x, size=7), values, given), found, rtol=0, atol=1e-12)
    assert_allclose(partial_spearmanr(x, values[:, 0], given), found[:, 0], rtol=0, atol=1e-15)
    if digits == 9:
        assert_allclose(partial_spearmanr(blocks(x, size=7), values), found, rtol=0, atol=1e-12)
    other = np.random.default_rng(0).random(25)
    one = stats.pearsonr(residuals(x[:, 3], other), residuals(values[:, 1], other)).statistic
    assert partial_spearmanr(x, values, other)[3, 1] == pytest.approx(one, abs=1e-12)


def test_what_better_models_do_everywhere_is_taken_away() -> None:
    """Errors that go with how good a model is alone: every domain correlates, none says more than others."""
    random = np.random.default_rng(2)
    quality = random.normal(size=(200, 1))
    x = 4 + quality + 0.5 * random.normal(size=(200, 50))
    y = quality[:, 0] + 0.1 * random.normal(size=200)
    assert spearmanr(x, y).min() > 0.7
    partial = partial_spearmanr(x, y)
    assert abs(partial.mean()) < 0.05
    assert np.abs(partial).max() < 4.5 / 200**0.5

    x[:, 7] = y + 0.3 * random.normal(size=200)
    assert np.argmax(partial_spearmanr(x, y)) == 7


def test_given_the_mean_by_tokens() -> None:
    x, y, _ = plant(3, models=15, domains=20)
    tokens = np.arange(20)
    x[4, 6] = np.nan
    y[2] = np.nan
    options = Options(missing="mask")
    matrix, errors = matrix_of(x, tokens=tokens), errors_of(np.column_stack([y, x[:, 0]]))
    one, _ = correlate(matrix, errors, options, replicates=0, permutations=0)
    found = one.partial
    assert one.models[2] == "m3"
    rows, there = np.delete(np.arange(15), 2), np.delete(np.arange(20), 6)
    given = x[np.ix_(rows, there)] @ (tokens[there] / tokens[there].sum())
    assert_allclose(found[there], partial_spearmanr(x[np.ix_(rows, there)], y[rows], given), atol=1e-12)
    assert np.isnan(found[6])


def test_nothing_left_is_nan() -> None:
    x = np.column_stack([np.arange(5.0), np.ones(5), np.arange(5.0) ** 2])
    assert np.isnan(partial_spearmanr(x, [3.0, 1, 2, 5, 4])).all()


def test_tensors_and_wrong_input() -> None:
    x, y, _ = plant(4, models=12, domains=6)
    assert isinstance(partial_spearmanr(torch.from_numpy(x), y), torch.Tensor)
    with pytest.raises(InputError, match=r"^given: expected \[12\], finite, got shape \[3\]$"):
        partial_spearmanr(x, y, [1.0, 2, 3])
    x[1, 1] = np.nan
    with pytest.raises(InputError, match=r"^X: row 1, column 1 is NaN"):
        partial_spearmanr(x, y)


def test_selection_by_what_a_domain_adds() -> None:
    """Quality decides errors and bits alike; only the partial correlation finds what was planted."""
    random = np.random.default_rng(5)
    found = []
    for seed in range(5):
        x, y, planted = plant(seed, models=150, quality=1.0)
        both = {name: select(x, y, estimator=name, keep=0.1) for name in ("spearmanr", "partial_spearmanr")}
        found.append([one.weights[planted].sum() for one in both.values()])
        assert_allclose(both["partial_spearmanr"].estimate, partial_spearmanr(x, y), rtol=0, atol=1e-12)
    plain, partial = np.mean(found, axis=0)
    assert partial > plain + 0.2
    labels = random.permutation(np.repeat(np.arange(50), 3)).tolist()
    one = select(x, y, estimator="partial_spearmanr", keep=0.1, replicates=20, families=labels)
    assert (one.low < one.high).all()
    tested = correlate(x, y, Options(estimator="partial_spearmanr"), replicates=0, permutations=9)[0]
    assert tested.remark.startswith("estimator: permuted errors no longer go with the mean bits per byte")
