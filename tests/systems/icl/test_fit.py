"""Fits: known truth is found again, no optimum is missed that the published fitter finds, doubts are said."""

import math

import numpy as np
import pytest
import scipy.optimize
import torch

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.icl import LAWS, fit, fit_many
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.race import predicted
from pyfastlm.icl.problem import LOSSES, problem

SHOTS = np.arange(1.0, 41)
TRUTH = {
    "power": [[0.3, 0.5, -0.5], [0.8, 1.0, 0.1], [-0.2, 0.0, -1.0]],
    "bounded_power": [[0.3, 0.5, -0.5, 1.0], [0.8, 1.0, 0.1, 2.0], [0.2, 0.7, -1.0, 1.5]],
    "logistic": [[0.3, 1.0, 1.5, -0.5], [0.8, 1.5, 2.0, 0.1], [0.2, 2.0, 1.0, -1.0]],
    "bayesian": [0, 0.5, -0.5, -1.5, *([-0.4, 1.0, 1.2, 1.1, -0.5, 0.9, 0.8, 1.3, -0.2])],
    "bayesian_sampling": [0, 0.5, -0.5, -1.5, -0.4, -0.6, -0.2, 0.5, 0.7, 0.3],
    "bayesian_scoring": [0, 0.5, -0.5, -1.5, -0.4, -0.6, -0.2, 0.5, 0.7, 0.3],
}


def drawn(law: str, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Curves [3, S] of a known truth, with noise on probabilities."""
    curves = problem(SHOTS, np.ones((3, len(SHOTS))), "mse_prob", "raise")
    nll, _ = predicted(LAWS[law], np.array(TRUTH[law], float), curves, Layout(3, 1, 1), SHOTS)
    p = np.exp(-nll) + noise * np.random.default_rng(seed).normal(size=nll.shape)
    return -np.log(np.clip(p, 1e-6, 1 - 1e-6))


@pytest.mark.parametrize("law", LAWS)
def test_curves_of_a_law_are_fitted_exactly_and_predicted_further(law: str) -> None:
    found = fit(law, SHOTS, drawn(law), starts=16)
    assert found.nrmse < 1e-5
    assert found.law == law
    curves = problem(SHOTS, np.ones((3, len(SHOTS))), "mse_prob", "raise")
    further = np.array([60.0, 100, 1000])
    truth, _ = predicted(LAWS[law], np.array(TRUTH[law], float), curves, Layout(3, 1, 1), further)
    np.testing.assert_allclose(np.exp(-found.predict(further)), np.exp(-truth), atol=2e-3)


def test_numbers_are_found_again_where_curves_determine_them() -> None:
    c, alpha, k = np.array(TRUTH["power"]).T
    found = fit("power", SHOTS, drawn("power", 0.002)).params
    np.testing.assert_allclose(found.C, c, atol=0.1)
    np.testing.assert_allclose(found.alpha, np.log1p(np.exp(alpha)), atol=0.15)
    np.testing.assert_allclose(found.K, k, atol=0.1)
    scoring = fit("bayesian_scoring", SHOTS, drawn("bayesian_scoring", 0.002), starts=16).params
    free = np.array(TRUTH["bayesian_scoring"])
    np.testing.assert_allclose(scoring.prior[0], np.exp(free[:3]) / np.exp(free[:3]).sum(), atol=0.05)
    np.testing.assert_allclose(scoring.efficiency, math.log1p(math.exp(-1.5)), rtol=0.2)
    np.testing.assert_allclose(np.diagonal(scoring.likelihood), 1 / (1 + np.exp(free[4:7])), atol=0.02)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("law", ["power", "logistic", "bayesian_scoring"])
def test_no_general_minimiser_goes_on_from_there(law: str, loss: str) -> None:
    """The loss is the one of its name, and scipy finds no lower one near by."""
    nll = drawn(law, 0.02, seed=2)
    found = fit(law, SHOTS, nll, loss=loss, starts=16)

    def total(guess: np.ndarray) -> float:
        if loss == "mse_prob":
            return float(((np.exp(-guess) - np.exp(-nll)) ** 2).sum())
        off = np.log(guess) - np.log(nll) if loss.endswith("log") else guess - nll
        if loss.startswith("mse"):
            return float((off**2).sum())
        return float(torch.nn.functional.huber_loss(torch.tensor(off), torch.zeros(off.shape).double(),
                                                    reduction="sum"))  # fmt: skip

    assert math.isclose(total(found.predict(SHOTS)), found.loss, rel_tol=1e-9)
    theta, each, layout = found._theta, found._law, found._layout
    lower = scipy.optimize.minimize(
        lambda free: total(predicted(each, free.reshape(theta.shape), found._problem, layout, SHOTS)[0]),
        theta.reshape(-1),
        method="L-BFGS-B",
    )
    assert lower.fun > found.loss * (1 - 1e-4)


def test_many_sets_are_fitted_as_each_alone_and_by_any_number_of_threads() -> None:
    sets = [(SHOTS, drawn("logistic", 0.02, seed)) for seed in range(3)]
    sets += [(SHOTS[:20], drawn("power", 0.02)[:, :20]), (SHOTS, drawn("power", 0.02)[:2])]
    for law in ("bounded_power", "bayesian_sampling"):
        together = fit_many(law, sets, threads=2)
        for (shots, nll), found in zip(sets, together, strict=True):
            alone = fit(law, shots, nll, threads=1)
            assert alone.loss == found.loss
            assert np.array_equal(alone.predict(shots), found.predict(shots))
    assert fit_many("power", []) == []


def test_the_order_of_shots_says_nothing_and_nan_may_be_masked() -> None:
    nll = drawn("power", 0.01)
    order = np.random.default_rng(0).permutation(len(SHOTS))
    one, other = fit("power", SHOTS, nll), fit("power", SHOTS[order], nll[:, order])
    assert math.isclose(one.loss, other.loss, rel_tol=1e-6)
    holes = nll.copy()
    holes[1, 5:9] = np.nan
    with pytest.raises(InputError, match=r"nll: curve 1 has NaN at shot 6; leave it out, or pass missing="):
        fit("power", SHOTS, holes)
    masked = fit("power", SHOTS, holes, missing="mask")
    assert masked.n_points == nll.size - 4
    keep = np.r_[0:5, 9:40]
    alone = fit("power", SHOTS[keep], nll[1:2, keep])
    np.testing.assert_allclose(masked.params.alpha[1], alone.params.alpha[0], rtol=1e-4)


def test_groups_share_likelihoods_and_more_where_asked() -> None:
    truth = np.array(TRUTH["bayesian_scoring"])
    tuned = truth.copy()
    tuned[0] += 2.0  # the first task has become likelier
    curves = problem(SHOTS, np.ones((3, len(SHOTS))), "mse_prob", "raise")
    nll = np.stack(
        [
            predicted(LAWS["bayesian_scoring"], each, curves, Layout(3, 1, 1), SHOTS)[0]
            for each in (truth, tuned)
        ]
    )
    found = fit("bayesian_scoring", SHOTS, nll, share=("efficiency",), starts=24)
    assert found.nrmse < 1e-3
    assert found.predict(SHOTS).shape == nll.shape
    assert found.params.prior.shape == (2, 3)
    assert found.params.efficiency.shape == (1,)
    assert found.params.prior[1, 0] > found.params.prior[0, 0] + 0.2
    same = fit("bayesian_scoring", SHOTS, nll, share=("prior", "efficiency"), starts=24)
    assert same.params.prior.shape == (1, 3)
    assert same.nrmse > 10 * found.nrmse


def test_beliefs_begin_with_the_prior_and_end_with_the_task() -> None:
    found = fit("bayesian_scoring", SHOTS, drawn("bayesian_scoring"), starts=16, hypotheses=4)
    belief = found.posterior([0, 1, 5000])
    assert belief.shape == (3, 3, 4)
    np.testing.assert_allclose(belief.sum(axis=-1), 1.0)
    np.testing.assert_allclose(belief[:, 0], np.repeat(found.params.prior, 3, axis=0))
    assert belief[:, 2].argmax(axis=-1).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="law: power has no hypotheses"):
        fit("power", SHOTS, drawn("power")).posterior([1])


@pytest.mark.parametrize("law", LAWS)
def test_what_curves_do_not_say_is_said(law: str) -> None:
    flat = fit(law, SHOTS, np.full((2, len(SHOTS)), 0.7))
    assert flat.nrmse < 1e-6
    assert any("not determined" in each for each in flat.warnings)
    one = fit(law, [1], np.full((2, 1), 0.7))
    assert any("numbers for" in each for each in one.warnings)
    never = fit(law, SHOTS, np.full((2, len(SHOTS)), np.inf))  # probability 0
    assert math.isnan(never.nrmse)
    assert never.warnings
    always = fit(law, SHOTS, np.zeros((2, len(SHOTS))))  # probability 1
    assert always.nrmse < 1e-3
    for found, p in ((flat, "0.497"), (never, "0"), (always, "1")):
        assert f"curve 1: flat, at a probability of {p}" in found.warnings


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("cubic", [1], [[1.0]]), {}, "law: expected one of bayesian, .* got 'cubic'"),
        (("power", [0, 1], [[1.0, 1.0]]), {}, "shots: expected numbers from 1, got 0; add 1 where they"),
        (("power", [1, np.nan], [[1.0, 1.0]]), {}, "shots: expected numbers from 1, got nan"),
        (("power", [], [[]]), {}, r"shots: expected \[S\], one number at least"),
        (("power", [1, 2], [1.0, 2.0]), {}, r"nll: expected \[C, S\] or .* with S = 2, got shape \[2\]"),
        (("power", [1, 2], [[1.0], [1.0, 2.0]]), {}, "nll: expected an array, got rows of different lengths"),
        (("power", [1, 2], [[1.0, -0.1]]), {}, "nll: curve 0, -0.1 at shot 2 is negative: no probability"),
        (("power", [1, 2], [[1.0, np.inf]]), {"loss": "mse"}, r"inf at shot 2 is infinite \(probability 0\)"),
        (("power", [1, 2], [[1.0, 0.0]]), {"loss": "huber_log"}, r"0 at shot 2 is 0 \(probability 1\)"),
        (("power", [1, 2], [[np.nan, np.nan]]), {"missing": "mask"}, "nll: curve 0 has no number at all"),
        (("power", [1], [[1.0]]), {"loss": "mae"}, "loss: expected one of mse_prob, .* got 'mae'"),
        (("power", [1], [[1.0]]), {"starts": 0}, "starts: expected at least 1, got 0"),
        (("power", [1], [[1.0]]), {"missing": "drop"}, "missing: expected 'raise' or 'mask', got 'drop'"),
        (("power", [1], [[1.0]]), {"hypotheses": 3}, "hypotheses: power has none; leave it out"),
        (("bayesian", [1], [[1.0]] * 3), {"hypotheses": 2}, "hypotheses: expected one for each of 3 tasks"),
        (("bayesian", [1], [[1.0]]), {"share": ("k",)}, "share: expected prior and efficiency, got 'k'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(arguments: tuple, options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit(*arguments, **options)


def test_a_set_that_is_wrong_is_named_and_types_too() -> None:
    with pytest.raises(InputError, match=r"sets\[1\]: nll: curve 0, -1 at shot 1 is negative"):
        fit_many("power", [([1], [[1.0]]), ([1], [[-1.0]])])
    with pytest.raises(InputTypeError, match="nll: expected numbers, got dtype"):
        fit("power", [1], [["a"]])
    as_tensor = fit("power", torch.arange(1, 41), torch.tensor(drawn("power")))
    assert as_tensor.loss == fit("power", SHOTS, drawn("power")).loss
