"""Comparisons and intervals, against what they are said to be."""

import numpy as np
import pytest
import scipy.stats

from pyfastlm.errors import InputError
from pyfastlm.icl import LAWS, bootstrap, compare, fit

SHOTS = np.arange(1.0, 31)


def sets(count: int, noise: float = 0.01) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(count):
        c, alpha, k = rng.uniform(0.3, 0.8, (3, 2, 1))
        p = np.exp(-(c * SHOTS**-alpha + k)) + noise * rng.normal(size=(2, len(SHOTS)))
        found.append((SHOTS, -np.log(p.clip(1e-3, 1))))
    return found


def test_laws_are_judged_on_what_they_were_not_fitted_to() -> None:
    given = sets(3)
    found = compare(given, laws=["power", "bayesian_scoring"], fractions=(1.0, 0.5), seed=3)
    assert len(found.scores) == 2 * 4 * 3
    assert {score.law for score in found.scores} == {"power", "bayesian_scoring", "last value", "mean"}
    by_key = {(score.law, score.fraction, score.set): score for score in found.scores}
    for n, (shots, nll) in enumerate(given):
        seen = shots <= 15
        p = np.exp(-nll)
        for law, guess in (
            ("power", np.exp(-fit("power", shots[seen], nll[:, seen], seed=3).predict(shots[~seen]))),
            ("last value", p[:, seen][:, -1:]),
            ("mean", p[:, seen].mean(axis=1, keepdims=True)),
        ):
            rest = p[:, ~seen]
            expected = np.sqrt(((rest - guess) ** 2).mean()) / rest.mean()
            assert by_key[law, 0.5, n].nrmse == pytest.approx(expected, rel=1e-9)
        assert by_key["power", 1.0, n].nrmse == pytest.approx(fit("power", shots, nll, seed=3).nrmse)
    means = found.means()
    assert [(mean.fraction, mean.law) for mean in means][:2] == [(1.0, "power"), (1.0, "bayesian_scoring")]
    assert all(mean.low <= mean.nrmse <= mean.high for mean in means)
    assert {mean.law: mean.n_params for mean in means} == {
        "power": 6, "bayesian_scoring": 7, "last value": 2, "mean": 2,
    }  # fmt: skip


def test_differences_are_paired() -> None:
    found = compare(sets(6), laws=["power", "logistic"], fractions=(1.0,))
    power, mean = (np.array([s.nrmse for s in found.scores if s.law == law]) for law in ("power", "mean"))
    difference = found.difference("power", "mean")
    assert difference.mean == pytest.approx((power - mean).mean())
    assert difference.p == pytest.approx(scipy.stats.ttest_rel(power, mean).pvalue)
    assert difference.low <= difference.mean <= difference.high
    assert (difference.better, difference.sets) == (int((power < mean).sum()), 6)
    assert found.difference("power", "power") == (0.0, 0.0, 0.0, 1.0, 0, 6)
    with pytest.raises(InputError, match=r"a, b: expected laws compared at 0\.5"):
        found.difference("power", "mean", 0.5)


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(InputError, match="sets: expected at least one"):
        compare([])
    with pytest.raises(InputError, match=r"fractions: expected numbers above 0, up to 1, got 1\.5"):
        compare(sets(1), laws=["power"], fractions=(1.5,))
    with pytest.raises(InputError, match=r"fractions: at 0.01, sets\[0\] has 0 of 30 shots to fit"):
        compare(sets(1), laws=["power"], fractions=(0.01,))


@pytest.mark.parametrize("law", ["power", "bayesian_scoring"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(law: str) -> None:
    """Over many curves with known noise; 95 % intervals of residuals from 30 shots are a little short."""
    rng = np.random.default_rng(0)
    held = []
    if law == "power":
        truth, read = 0.6, lambda params: params.alpha[0]
        clean = np.exp(-(0.5 * SHOTS**-truth + 0.4))[None]
    else:
        first = fit(law, SHOTS, np.stack([0.9 * SHOTS**-0.5 + 0.4, 0.7 * SHOTS**-0.4 + 0.6]))
        clean, truth, read = (
            np.exp(-first.predict(SHOTS)),
            first.params.likelihood[0, 0],
            lambda p: p.likelihood[0, 0],
        )
    for n in range(20):
        p = clean + 0.01 * rng.normal(size=clean.shape)
        found = bootstrap(fit(law, SHOTS, -np.log(p)), replicates=60, seed=n)
        held.append(read(found.low) <= truth <= read(found.high))
    assert 0.7 <= np.mean(held) <= 1.0


def test_intervals_are_drawn_by_seed_and_checked() -> None:
    found = fit("logistic", *sets(1)[0])
    one, other = bootstrap(found, replicates=20, seed=1), bootstrap(found, replicates=20, seed=1)
    assert np.array_equal(one.low.K, other.low.K)
    assert (one.low.C <= one.high.C).all()
    narrow = bootstrap(found, replicates=20, seed=1, level=0.5)
    assert (narrow.high.C - narrow.low.C <= one.high.C - one.low.C).all()
    with pytest.raises(InputError, match="replicates: expected at least 2, got 1"):
        bootstrap(found, replicates=1)
    with pytest.raises(InputError, match="level: expected a share between 0 and 1, got 1"):
        bootstrap(found, level=1)
    assert set(LAWS) == {
        "bayesian",
        "bayesian_sampling",
        "bayesian_scoring",
        "power",
        "bounded_power",
        "logistic",
    }
