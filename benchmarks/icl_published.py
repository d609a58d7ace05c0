"""The published way to fit the laws, written anew from its description: torch's L-BFGS, one start.

100 epochs of up to 100 iterations with strong Wolfe line search in float32, from the published initial
values; power-type laws one curve at a time, Bayesian ones jointly. The lowest loss after an epoch counts,
judged in float64 (the publication pairs the loss before a step with the state after it).
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

EPOCHS = 100
EYE = 0.5  # added to the identity where P begins


def _power(free: Tensor, n: Tensor) -> Tensor:
    c, alpha, k = free
    return c.clamp(-20, 20).exp() * n ** -softplus(alpha).clamp(max=15) + k.clamp(-20, 20).exp()


def _bounded(free: Tensor, n: Tensor) -> Tensor:
    c, alpha, k, n_c = free
    log = c.clamp(-20, 20) - softplus(alpha).clamp(max=15) * torch.log1p(n / n_c.clamp(-40, 40).exp())
    return torch.where(log >= -25, log.exp(), 0.0) + k.clamp(-20, 20).exp()


def _logistic(free: Tensor, n: Tensor) -> Tensor:
    top, k, x0, c = free
    far = n.log() - x0.clamp(-40, 40)
    log = top.clamp(-20, 20) - softplus(softplus(k).clamp(max=15) * far)
    return torch.where(log >= -25, log.exp(), 0.0) + c.clamp(-20, 20).exp()


def _bayesian(law: str, free: Tensor, n: Tensor, h: int) -> Tensor:
    """[H, S]"""
    rho, k = torch.log_softmax(free[:h], 0), softplus(free[h])
    rest = free[h + 1 :]
    if law == "bayesian":
        log_p = -softplus(rest.reshape(h, h))
    else:
        g = -softplus(rest[:h])
        b = g - softplus(rest[h:])
        own, other = (g[None], b[None]) if law == "bayesian_sampling" else (g[:, None], b[:, None])
        log_p = torch.where(torch.eye(h, dtype=torch.bool), own, other)
    before = rho + k * n[:, None] * log_p[:, None]  # [H, S, M]
    return before.logsumexp(-1) - (before + log_p[:, None]).logsumexp(-1)


CURVE = {
    "power": (_power, [0.0, 1, 0]),
    "bounded_power": (_bounded, [1.0] * 4),
    "logistic": (_logistic, [1.0] * 4),
}


def beginning(law: str, h: int) -> list[float]:
    """The published initial values, as the forms above take them."""
    if law in CURVE:
        return CURVE[law][1]
    tail = (np.eye(h) + EYE).reshape(-1) if law == "bayesian" else np.repeat([1.0, 0.0], h)
    return [0.0] * h + [1.0] + tail.tolist()


def fit(law: str, shots: np.ndarray, nll: np.ndarray, epochs: int = EPOCHS) -> float:
    """The sum of squared differences of probabilities [C, S] at what was found."""
    h = len(nll)
    if law in CURVE:
        form = CURVE[law][0]
        return sum(
            _descend(lambda free, n: form(free, n)[None], beginning(law, h), shots, row[None], epochs)
            for row in nll
        )
    return _descend(lambda free, n: _bayesian(law, free, n, h), beginning(law, h), shots, nll, epochs)


def _descend(form, start, shots, nll, epochs) -> float:  # type: ignore[no-untyped-def]
    n, truth = torch.tensor(shots, dtype=torch.float32), torch.tensor(np.exp(-nll), dtype=torch.float32)
    exact = torch.tensor(np.exp(-nll)), torch.tensor(shots, dtype=torch.float64)
    free = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], history_size=100, max_iter=100, line_search_fn="strong_wolfe")
    best = math.inf

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = ((torch.exp(-form(free, n)) - truth) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(epochs):
        optimiser.step(closure)
        with torch.no_grad():
            now = ((torch.exp(-form(free.double(), exact[1])) - exact[0]) ** 2).sum().item()
            if math.isnan(now):
                break
            best = min(best, now)
    return best
