"""Conditional logit: weights of features under which what was chosen is likeliest among its alternatives."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

PENALTY = 1e-3  # on the squares of weights
STEPS = 100  # of their optimisation at most; ten are usual


def likeliest(
    features: Sequence[NDArray[np.float64]], places: Sequence[int], start: Sequence[float]
) -> tuple[float, ...]:
    """Weights [features] that maximise the mean log-probability of the choices, less a small penalty.

    The probability of an alternative is the softmax of ``features @ weights`` over those of its choice.

    Args:
        features: of each choice [alternatives, features].
        places: which alternative was chosen.
        start: weights to begin with; the optimum does not depend on them beyond rounding.
    """
    weights = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    asked = [torch.from_numpy(of_choice) for of_choice in features]
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> float:
        optimizer.zero_grad()
        right = [
            (of_choice @ weights).log_softmax(0)[place]
            for of_choice, place in zip(asked, places, strict=True)
        ]
        value = PENALTY * weights @ weights - torch.stack(right).mean()
        value.backward()
        return float(value.detach())

    optimizer.step(loss)
    return tuple(weights.tolist())
