"""Permutation tests against scipy's; families that hang together; corrections for many domains."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from planted import clustered, errors_of, matrix_of, plant
from scipy import stats

from pyfastlm import selection
from pyfastlm.errors import InputError
from pyfastlm.selection import Options, benjamini_hochberg, permutation_test


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    values = np.array(p)
    assert_allclose(benjamini_hochberg(values), stats.false_discovery_control(values), rtol=1e-12)
    with_gap = benjamini_hochberg(np.append(values, np.nan))
    assert_array_equal(with_gap[:-1], benjamini_hochberg(values))
    assert np.isnan(with_gap[-1])


@pytest.mark.parametrize("estimator", ["product", "sign", "sign_sign", "spearmanr"])
def test_p_is_that_of_scipy(estimator: str) -> None:
    """All 720 arrangements of 6 errors; ours are drawn, so they are near."""
    x, y, _ = plant(1, models=6, domains=5)
    count = 20_000
    (found,) = permutation_test(x, y, Options(estimator=estimator), permutations=count)
    estimate = getattr(selection, estimator)
    for domain in range(5):
        exact = stats.permutation_test(
            (y,), lambda own, d=domain: estimate(x[:, [d]], own)[0], permutation_type="pairings",
            alternative="greater", n_resamples=np.inf, vectorized=False,
        )  # fmt: skip
        error = (exact.pvalue * (1 - exact.pvalue) / count) ** 0.5
        assert found.p[domain] == pytest.approx(exact.pvalue, abs=4 * error + 1 / count)
    assert found.arrangements == 720


def test_the_family_wise_p_is_of_the_largest_of_all_domains() -> None:
    """Of all 40,320 arrangements of 8 errors. Ranks without ties: all domains have the same spread."""
    x, y, _ = plant(2, models=8, domains=8)
    (found,) = permutation_test(x, y, permutations=20_000, seed=3)
    orders = np.array(list(permutations(range(8))))
    every = selection.spearmanr(x, y[orders].T)
    largest = np.round(every.max(axis=0), 9)
    # Spreads are those of the permutations drawn, which parts what is equal: ours lies between the two.
    most, least = (
        np.array([of(largest, round(one, 9)).mean() for one in found.estimate])
        for of in (np.greater_equal, np.greater)
    )
    chance = 4 * 0.5 / 20_000**0.5
    assert (found.family_wise < most + chance).all()
    assert (found.family_wise > least - chance).all()
    assert (found.family_wise >= found.p - 1e-12).all()
    assert_array_equal(found.q, benjamini_hochberg(found.p))


def test_scales_of_domains_do_not_matter() -> None:
    """The product grows with x; a domain in other units must not hide the others."""
    x, y, _ = plant(3, models=20, domains=10)
    options = Options(estimator="product")
    scaled = x * np.where(np.arange(10) == 4, 1000.0, 1.0)
    one, other = (permutation_test(values, y, options, permutations=200)[0] for values in (x, scaled))
    assert_array_equal(one.family_wise, other.family_wise)
    assert_array_equal(one.p, other.p)


def test_errors_at_random_are_rarely_called_more() -> None:
    """The chance of even one false domain is held at 5 % over all 100."""
    false, p = [], []
    for seed in range(120):
        x, y, _ = plant(seed, models=20, quality=0.5)
        y = np.random.default_rng(1000 + seed).permutation(y)
        (found,) = permutation_test(x, y, permutations=99, seed=seed)
        false.append(found.family_wise.min() <= 0.05)
        p.append(found.p[0])
    assert np.mean(false) <= 0.05 + 3 * (0.05 * 0.95 / 120) ** 0.5
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_families_are_permuted_whole() -> None:
    """Errors at random, the same within a family: permuted model by model they always look like more."""
    by_family, by_model = [], []
    for seed in range(40):
        x, y, families = clustered(seed)
        for found, labels in ((by_family, families), (by_model, None)):
            (one,) = permutation_test(x, y, permutations=99, families=labels, seed=seed)
            found.append(one.family_wise.min() <= 0.05)
    assert np.mean(by_family) <= 0.05 + 3 * (0.05 * 0.95 / 40) ** 0.5
    assert np.mean(by_model) > 0.9


def test_planted_domains_are_found() -> None:
    x, y, planted = plant(4, models=150)
    (found,) = permutation_test(x, y, permutations=999)
    assert (found.family_wise[planted] <= 0.05).sum() >= 4
    assert (found.family_wise[~planted] <= 0.05).sum() == 0
    discoveries = found.q <= 0.1
    assert discoveries[planted].sum() >= 6
    assert discoveries[~planted].sum() <= 5


def test_several_benchmarks_missing_numbers_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = plant(5, models=20, domains=300)
    x[:, 9] = 2.0
    x[:13, 5] = np.nan
    values = np.column_stack([y, y[::-1]])
    values[4, 1] = np.nan
    matrix, errors = matrix_of(x), errors_of(values)
    options = Options(missing="mask")
    found = permutation_test(matrix, errors, options, permutations=50)
    monkeypatch.setattr("pyfastlm.selection.study.permutations.SAMPLE_BYTES", 1)
    again = permutation_test(matrix, errors, options, permutations=50)
    assert [one.benchmark for one in found] == ["b0", "b1"]
    for one, other in zip(found, again, strict=True):
        for name in ("estimate", "p", "family_wise", "q"):
            assert_array_equal(getattr(one, name), getattr(other, name))
            assert np.isnan(getattr(one, name)[[5, 9]]).all()
            assert np.isfinite(np.delete(getattr(one, name), [5, 9])).all()
    assert_allclose(found[0].estimate[0], stats.spearmanr(x[:, 0], y).statistic)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permutations": 0}, r"^permutations: expected a whole number >= 1, got 0$"),
        ({"seed": 1.5}, r"^seed: expected a whole number >= 0, got 1.5$"),
        ({"families": [1, 1, 1, 2, 2, 3, 4, 4]},
         r"^families: expected 20 or more ways to exchange families of the same size, got 2; fam"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    x, y, _ = plant(6, models=8)
    with pytest.raises(InputError, match=message):
        permutation_test(x, y, **options)
