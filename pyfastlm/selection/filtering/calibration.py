"""From margins to probabilities: Platt's logistic curve."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

LEAST_SLOPE = 1e-6  # over the greatest margin: the order of the margins stays, however little they say
STEPS = 100


class Calibration(NamedTuple):
    """``p = 1 / (1 + exp(-(slope * margin + shift)))``, with a slope above 0."""

    slope: float
    shift: float

    def __call__(self, margins: Doubles) -> Doubles:
        """Probabilities of margins."""
        return sigmoid(self.slope * margins + self.shift)


def sigmoid(values: Doubles) -> Doubles:
    """``1 / (1 + exp(-x))``, without overflow."""
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1 / (1 + small), small / (1 + small)))


def calibrate(margins: Doubles, included: NDArray[np.bool_]) -> Calibration:
    """The curve of greatest likelihood for margins [n] of pages with these labels, both kinds among them.

    As Platt (1999), with his targets a little inside 0 and 1, so that separable pages give a finite slope.
    By Newton's method with halved steps; the loss is convex.
    """
    above, below = int(included.sum()), int((~included).sum())
    targets = np.where(included, (above + 1) / (above + 2), 1 / (below + 2))
    scale = float(np.abs(margins).max()) or 1.0
    x = np.stack([margins / scale, np.ones(len(margins))], axis=1)
    theta = np.array([0.0, np.log((above + 1) / (below + 1))])
    loss = _loss(x @ theta, targets)
    for _ in range(STEPS):
        p = sigmoid(x @ theta)
        gradient = x.T @ (p - targets)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 1e-10 * np.eye(2)
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while (new := _loss(x @ (theta - size * step), targets)) > loss and size > 1e-10:
            size /= 2
        theta, gained, loss = theta - size * step, loss - new, min(new, loss)
        if gained < 1e-12 * (1 + loss):
            break
    return Calibration(max(float(theta[0]), LEAST_SLOPE) / scale, float(theta[1]))


def _loss(z: Doubles, targets: Doubles) -> float:
    return float(np.sum(np.logaddexp(0, z) - targets * z))
