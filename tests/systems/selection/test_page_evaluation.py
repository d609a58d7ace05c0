"""Figures against scikit-learn, and the calibration against its definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pyfastlm.selection.filtering.calibration import LEAST_SLOPE, Calibration, calibrate, sigmoid
from pyfastlm.selection.filtering.evaluation import evaluate

pairs = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.5001, 0.9, 1.0])), max_size=30
)


@settings(max_examples=80, deadline=None)
@given(pairs=pairs)
def test_figures_are_those_of_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    included = np.array([label for label, _ in pairs], bool)
    probability = np.array([p for _, p in pairs], float)
    found = evaluate(included, probability)
    taken = probability >= 0.5
    assert found.pages == len(pairs)
    assert found.included == included.sum()
    if not pairs:
        assert math.isnan(found.prevalence)
        return
    cells = metrics.confusion_matrix(included, taken, labels=[False, True]).ravel().tolist()
    assert cells == [
        found.true_negatives, found.false_positives, found.false_negatives, found.true_positives
    ]  # fmt: skip
    expected = metrics.precision_recall_fscore_support(
        included, taken, average="binary", zero_division=np.nan
    )[:3]
    assert [found.precision, found.recall] == pytest.approx(expected[:2], nan_ok=True)
    if included.any() and taken.any():
        assert found.f1 == pytest.approx(expected[2])
    assert found.brier == pytest.approx(np.mean((probability - included) ** 2))
    if included.any():
        assert found.average_precision == pytest.approx(
            metrics.average_precision_score(included, probability)
        )
    if 0 < included.sum() < len(pairs):
        assert found.roc_auc == pytest.approx(metrics.roc_auc_score(included, probability))
    else:
        assert math.isnan(found.roc_auc)


def test_top_precision_is_of_as_many_as_are_included() -> None:
    included = np.array([True, False, True, False, False])
    assert evaluate(included, np.array([0.9, 0.8, 0.7, 0.1, 0.0])).top_precision == 0.5
    assert evaluate(included, np.array([0.9, 0.1, 0.7, 0.1, 0.0])).top_precision == 1.0


def test_the_curve_is_that_of_greatest_likelihood() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 3, 400)
    included = rng.random(400) < sigmoid(0.7 * margins - 1)
    above, below = included.sum(), (~included).sum()
    targets = np.where(included, (above + 1) / (above + 2), 1 / (below + 2))

    def loss(theta: np.ndarray) -> float:
        z = theta[0] * margins + theta[1]
        return float(np.sum(np.logaddexp(0, z) - targets * z))

    expected = minimize(loss, [1.0, 0.0], tol=1e-12).x
    found = calibrate(margins, included)
    assert [found.slope, found.shift] == pytest.approx(expected, rel=1e-4)
    assert found.slope == pytest.approx(0.7, abs=0.2)
    # So the probabilities sum to the (smoothed) number of included pages.
    assert found(margins).sum() == pytest.approx(targets.sum(), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_scale_and_separation_do_not_matter(scale: float) -> None:
    margins = scale * np.array([-2.0, -1.0, 1.0, 2.0])
    found = calibrate(margins, margins > 0)
    assert np.isfinite(found.slope)
    assert found.slope > 0
    assert (np.diff(found(margins)) > 0).all()
    assert found(margins)[-1] > 0.7


def test_useless_margins_keep_their_order_and_give_the_prevalence() -> None:
    margins = np.array([3.0, 2.0, 1.0, 0.0])
    found = calibrate(margins, np.array([False, False, True, True]))
    assert found.slope == LEAST_SLOPE / 3
    assert (np.diff(found(margins)) < 0).all()
    same = calibrate(np.zeros(5), np.array([True, False, False, False, False]))
    assert same(np.zeros(1))[0] == pytest.approx(2 / 7, abs=0.05)


def test_probabilities_do_not_overflow() -> None:
    found = Calibration(1.0, 0.0)(np.array([-1e6, -30.0, 0.0, 1e6]))
    assert found[0] == 0
    assert 0 < found[1] < 1e-12
    assert found[2:].tolist() == [0.5, 1.0]
