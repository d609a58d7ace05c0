"""Profile likelihoods and criteria against the same by scipy, from the definitions."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from pyfastlm.errors import InputError
from pyfastlm.icl import fit, profile

SHOTS = np.arange(1.0, 31)


def noisy(curves: int = 1) -> np.ndarray:
    clean = np.exp(-(0.5 * SHOTS**-0.6 + 0.4))
    return -np.log(clean + 0.01 * np.random.default_rng(3).normal(size=(curves, len(SHOTS))))


def test_an_interval_is_that_of_a_general_minimiser() -> None:
    nll = noisy(2)
    found = profile(fit("power", SHOTS, nll), "alpha", (1,))
    p = np.exp(-nll[1])

    def rss(alpha: float) -> float:
        def total(free: np.ndarray) -> float:
            return float(((np.exp(-(np.exp(free[0]) * SHOTS**-alpha + np.exp(free[1]))) - p) ** 2).sum())

        start = np.array([math.log(0.5), math.log(0.4)])
        exact = {"xatol": 1e-8, "fatol": 1e-14, "maxiter": 4000}
        return float(scipy.optimize.minimize(total, start, method="Nelder-Mead", options=exact).fun)

    least = rss(found.value)
    limit = scipy.stats.chi2.ppf(0.95, 1)
    for end, bracket in ((found.low, (found.value - 0.5, found.value)), (found.high, (found.value, 2.0))):
        expected = scipy.optimize.brentq(
            lambda alpha: len(SHOTS) * math.log(rss(alpha) / least) - limit, *bracket, xtol=1e-4
        )
        assert end == pytest.approx(expected, abs=0.01 * (found.high - found.low))
    assert found.values[found.deviance.argmin()] == found.value
    assert (np.diff(found.values) >= 0).all()
    narrow = profile(fit("power", SHOTS, nll), "alpha", (1,), level=0.5)
    assert found.low < narrow.low < found.value < narrow.high < found.high


def test_a_number_that_curves_do_not_determine_has_no_end() -> None:
    """Where a bounded law is a power law, its bound may be as small as it likes."""
    found = profile(fit("bounded_power", SHOTS, noisy()), "n_c")
    assert found.low == -math.inf
    assert math.isfinite(found.high)


def test_numbers_of_joint_laws() -> None:
    law = fit("bayesian_scoring", SHOTS, np.stack([0.9 * SHOTS**-0.5 + 0.4, 0.7 * SHOTS**-0.4 + 0.6]))
    p = np.exp(-law.predict(SHOTS))
    again = fit("bayesian_scoring", SHOTS, -np.log(p + 0.005 * np.random.default_rng(1).normal(size=p.shape)))
    for name, at in (("prior", (0, 1)), ("efficiency", (0,)), ("likelihood", (1, 0))):
        found = profile(again, name, at)
        truth = getattr(law.params, name)[at]
        assert found.low <= found.value <= found.high
        assert found.low - 0.1 <= truth <= found.high + 0.1


def test_criteria_are_those_of_gaussian_residuals() -> None:
    nll = noisy(2)
    found = fit("power", SHOTS, nll)
    off = np.exp(-nll) - np.exp(-found.predict(SHOTS))
    likelihood = scipy.stats.norm.logpdf(off, scale=math.sqrt((off**2).mean())).sum()
    assert found.aic == pytest.approx(2 * 7 - 2 * likelihood)
    assert found.bic == pytest.approx(math.log(60) * 7 - 2 * likelihood)
    huber, square = fit("power", SHOTS, nll, loss="huber"), fit("power", SHOTS, nll, loss="mse")
    assert huber.aic == pytest.approx(square.aic)  # no residual is above 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "beta"}, "name: expected one of C, alpha, K, got 'beta'"),
        ({"name": "C", "at": (1,)}, r"at: expected a place in C \[1\], got \(1,\)"),
        ({"name": "C", "at": (0, 0)}, r"at: expected a place in C \[1\], got \(0, 0\)"),
        ({"name": "C", "level": 1.0}, "level: expected a share between 0 and 1, got 1"),
    ],
)
def test_what_is_wrong_is_named(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        profile(fit("power", SHOTS, noisy()), **options)


def test_curves_without_noise_say_nothing_about_it() -> None:
    with pytest.raises(InputError, match="fit: its residuals are all 0"):
        profile(fit("power", SHOTS, np.full((1, 30), 0.5)), "K")
