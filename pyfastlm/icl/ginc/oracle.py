"""What the best learner would predict: exact Bayes over the models, by the forward algorithm."""

from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.prompts import Prompts
from pyfastlm.icl.ginc.world import GINC, Doubles, Tokens


class Beliefs(NamedTuple):
    """After each token: ``words`` [N, T, symbols], the next word's probability; ``models`` [N, T, H]."""

    words: Doubles
    models: Doubles

    def answers(self, given: Prompts) -> Doubles:
        """Of the prompts that were read: the probability of the label of each shot, [N, shots]."""
        found: Doubles = self.words[np.arange(len(self.words))[:, None], given.places, given.labels]
        return found


def beliefs(ginc: GINC, tokens: Tokens, *, smoothing: float = 0.02, prior: Doubles | None = None) -> Beliefs:
    """Read ``tokens`` [N, T] as documents of one model each, and predict after each token.

    Args:
        ginc: the world.
        tokens: below ``ginc.symbols``.
        smoothing: this share of all steps goes anywhere: examples in a row jump as no document does.
        prior: [H] of the models; equal by default.

    Raises:
        InputError: a shape or a number is wrong, or no model can have written a text.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not tokens.size:
        raise InputError(f"tokens: expected [N, T], got shape {list(tokens.shape)}")
    if tokens.min() < 0 or tokens.max() >= ginc.symbols:
        raise InputError(f"tokens: expected words below {ginc.symbols}, got {tokens.min()} to {tokens.max()}")
    if not 0 <= smoothing <= 1:
        raise InputError(f"smoothing: expected a share, got {smoothing}")
    prior = np.full(ginc.hmms, 1 / ginc.hmms) if prior is None else np.asarray(prior, float)
    states = len(ginc.words)
    steps = (1 - smoothing) * ginc.transitions + smoothing / states
    says = np.eye(ginc.symbols)[ginc.words]  # [S, symbols]
    count, length = tokens.shape
    ahead = np.repeat(
        ((1 - smoothing) * ginc.start + smoothing / states)[:, None], count, axis=1
    )  # [H, N, S]
    with np.errstate(divide="ignore"):
        evidence = np.repeat(np.log(prior)[:, None], count, axis=1)  # [H, N]
    words, models = np.empty((count, length, ginc.symbols)), np.empty((count, length, ginc.hmms))
    for place in range(length):
        seen = ahead * says[:, tokens[:, place]].T
        mass = seen.sum(axis=-1)
        with np.errstate(divide="ignore"):
            evidence = evidence + np.log(mass)
        top = evidence.max(axis=0)
        if not np.isfinite(top).all():
            raise InputError(
                f"tokens[{int(np.flatnonzero(~np.isfinite(top))[0])}]: no model writes this text"
            )
        posterior = np.exp(evidence - top)
        posterior /= posterior.sum(axis=0)
        ahead = np.divide(seen, mass[..., None], out=np.zeros_like(seen), where=mass[..., None] > 0) @ steps
        models[:, place] = posterior.T
        words[:, place] = np.einsum("hn,hns->ns", posterior, ahead) @ says
    return Beliefs(words, models)
