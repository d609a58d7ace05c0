"""The threshold for a rate of false corrections: its binomial bound, and how often that fails."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from pyfastlm.errors import InputError
from pyfastlm.spelling import threshold_for_rate


@pytest.mark.parametrize("count", [1, 58, 59, 60, 300, 5000])
@pytest.mark.parametrize(("rate", "confidence"), [(0.05, 0.95), (0.01, 0.95), (0.1, 0.8)])
def test_as_many_are_changed_as_the_bound_of_clopper_and_pearson_allows(
    count: int, rate: float, confidence: float
) -> None:
    margins = np.random.default_rng(count).normal(size=count)
    threshold = threshold_for_rate(margins.tolist(), rate, confidence=confidence)
    allowed = np.flatnonzero(beta.ppf(confidence, np.arange(count) + 1, count - np.arange(count)) <= rate)
    if not len(allowed):
        assert threshold == math.inf
        return
    assert (margins > threshold).sum() == allowed.max()
    assert threshold in margins
    assert binom.cdf(allowed.max(), count, rate) <= 1 - confidence + 1e-9


def test_it_fails_as_seldom_as_it_says() -> None:
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(1000):
        threshold = threshold_for_rate(rng.exponential(size=200), 0.05, confidence=0.9)
        failed += math.exp(-threshold) > 0.05
    assert failed <= 130  # of a binomial of 1000 at 10 %, three standard deviations up


def test_few_samples_correct_nothing() -> None:
    assert threshold_for_rate([], 0.05) == math.inf
    assert threshold_for_rate([-1.0] * 58, 0.05) == math.inf
    assert threshold_for_rate([-1.0] * 59, 0.05) == -1.0


def test_ties_and_infinities() -> None:
    # Equal margins are changed together or not at all.
    assert threshold_for_rate([0.0] * 500, 0.05) == 0.0
    assert threshold_for_rate([-math.inf] * 400, 0.05) == -math.inf
    assert threshold_for_rate([math.inf] * 400, 0.05) == math.inf


def test_what_is_refused() -> None:
    for rate in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(InputError, match="rate: expected a number above 0 and below 1"):
            threshold_for_rate([1.0], rate)
    with pytest.raises(InputError, match="confidence: expected a number above 0 and below 1"):
        threshold_for_rate([1.0], 0.1, confidence=1.0)
    with pytest.raises(InputError, match="margins: expected numbers, got NaN"):
        threshold_for_rate([math.nan, 1.0], 0.1)
