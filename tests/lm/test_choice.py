"""Fitted weights of a choice: those of the greatest penalised likelihood, by another optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize

from pyfastlm.lm.choice import PENALTY, likeliest


def test_weights_are_those_of_another_optimiser() -> None:
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(rng.integers(1, 7), 3)) for _ in range(60)]
    truth = np.array([1.5, -0.7, 0.0])
    places = [int(np.argmax(x @ truth + rng.gumbel(size=len(x)))) for x in features]

    def loss(weights: np.ndarray) -> float:
        logp = []
        for x, place in zip(features, places, strict=True):
            scores = x @ weights
            logp.append(scores[place] - np.logaddexp.reduce(scores))
        return float(PENALTY * weights @ weights - np.mean(logp))

    expected = minimize(loss, np.zeros(3), tol=1e-12).x
    found = likeliest(features, places, [0.0, 0.0, 0.0])
    assert found == pytest.approx(expected, abs=1e-4)
    assert likeliest(features, places, [5.0, 5.0, -5.0]) == pytest.approx(found, abs=1e-4)


def test_separable_choices_stay_finite() -> None:
    found = likeliest([np.array([[1.0], [0.0]])] * 5, [0] * 5, [0.0])
    assert 1.0 < found[0] < 100.0
