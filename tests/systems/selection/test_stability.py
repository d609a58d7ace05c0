"""What a selection hangs on: single families, and the estimator."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from planted import errors_of, matrix_of, plant
from scipy import stats

from pyfastlm.errors import InputError
from pyfastlm.selection import Options, compare_estimators, leave_one_family_out, select
from pyfastlm.selection.study.stability import rank_correlation

KEEP = Options(keep=0.1)


def test_without_a_family_is_a_selection_of_the_others() -> None:
    x, y, _ = plant(1, models=20)
    families = [row // 4 for row in range(20)]
    (found,) = leave_one_family_out(x, y, KEEP, families=families)
    whole = select(x, y, keep=0.1)
    assert {one.family for one in found.families} == set("01234")
    for one in found.families:
        rest = np.array(families) != int(one.family)
        other = select(x[rest], y[rest], keep=0.1)
        assert one.models == 4
        assert one.shared == pytest.approx(np.minimum(whole.weights, other.weights).sum())
        rho = stats.spearmanr(whole.estimate, other.estimate).statistic
        assert one.correlation == pytest.approx(rho, abs=1e-12)
    assert [one.shared for one in found.families] == sorted(one.shared for one in found.families)


def test_the_family_that_decides_comes_first() -> None:
    x, y, _ = plant(2, models=24, noise=3.0)
    y[:6], x[:6, 40:50] = 9 + np.arange(6), 20 + np.arange(6)[:, None]
    families = [row // 6 for row in range(24)]
    (found,) = leave_one_family_out(x, y, KEEP, families=families)
    assert found.families[0].family == "0"


def test_for_groups() -> None:
    x, y, _ = plant(3, models=12, domains=30)
    values = np.column_stack([y, y[::-1]])
    groups = {"both": ["b0", "b1"], "one": ["b1"]}
    found = leave_one_family_out(matrix_of(x), errors_of(values), KEEP, groups=groups)
    assert [one.name for one in found] == ["both", "one"]
    compared = compare_estimators(matrix_of(x), errors_of(values), KEEP, groups=groups)
    assert [one.name for one in compared] == ["both", "one"]


def test_estimators_side_by_side() -> None:
    x, y, _ = plant(4, models=30)
    (found,) = compare_estimators(x, y, KEEP)
    order = found.estimators.index
    # Without ties these two order domains in the same way.
    assert found.shared[order("sign_cdf"), order("spearmanr")] == pytest.approx(1)
    assert found.correlation[order("sign_cdf"), order("spearmanr")] == pytest.approx(1)
    assert_allclose(np.diag(found.shared), 1)
    assert_allclose(np.diag(found.correlation), 1)
    assert_array_equal(found.shared, found.shared.T)
    one, other = (select(x, y, keep=0.1, estimator=name) for name in ("sign_sign", "product"))
    assert found.shared[order("sign_sign"), order("product")] == pytest.approx(
        np.minimum(one.weights, other.weights).sum()
    )


def test_rank_correlation_of_scores() -> None:
    random = np.random.default_rng(5)
    a, b = np.round(random.random((2, 50)), 1)
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    a[3] = b[9] = np.nan
    there = np.isfinite(a) & np.isfinite(b)
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a[there], b[there]).statistic, abs=1e-12)
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
    assert np.isnan(rank_correlation(np.array([1.0, np.nan]), np.array([np.nan, 1.0])))


def test_a_family_without_which_nothing_can_be_selected_comes_first() -> None:
    """Two models are left, and their domains are tied: no estimate, no selection."""
    x, y, _ = plant(7, models=6, domains=8)
    x[4:] = 1.0 + np.arange(8)
    x[5, 0] += 1e-6
    (found,) = leave_one_family_out(x, y, Options(keep=0.5), families=["a"] * 4 + ["b", "c"])
    assert found.families[0].family == "a"
    assert np.isnan(found.families[0].shared)


def test_too_few_families() -> None:
    with pytest.raises(InputError, match=r"^estimators: expected one or more, got none$"):
        compare_estimators(np.eye(4), [1, 2, 3, 4], KEEP, estimators=[])
    x, y, _ = plant(6, models=6)
    with pytest.raises(InputError, match=r"^families: expected two or more, got 1$"):
        leave_one_family_out(x, y, KEEP, families=["a"] * 6)
    with pytest.raises(InputError, match=r"^families: expected two models or more outside of each family$"):
        leave_one_family_out(x, y, KEEP, families=["a"] * 5 + ["b"])
