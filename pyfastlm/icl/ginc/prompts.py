"""Examples one after the other, as a model of GINC would write them: prompts to learn from in context."""

from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.world import DELIMITER, GINC, Tokens, drawn

CONTEXT = 1024  # tokens, where no number of shots is asked for


class Prompts(NamedTuple):
    """``tokens`` [N, shots * (k + 1)], each shot k words and a delimiter; ``labels`` [N, shots].

    The label of a shot is the likeliest word at its last place, given the state before; it is predicted from
    the token at ``places[shot]``.
    """

    tokens: Tokens
    labels: Tokens
    places: Tokens


def prompts(
    ginc: GINC, hmm: int, k: int, *, shots: int | None = None, count: int = 1000, seed: int = 0
) -> Prompts:
    """Draw prompts: each shot begins at any entity, and at the property that its prompt begins with.

    Args:
        ginc: the world.
        hmm: which of its models goes on from there.
        k: words of a shot.
        shots: of a prompt; as many as 1,024 tokens hold by default.
        count, seed: of the prompts.

    Raises:
        InputError: there is no such model, or a number is too small.
    """
    if not 0 <= hmm < ginc.hmms:
        raise InputError(f"hmm: expected 0 to {ginc.hmms - 1}, got {hmm}")
    shots = _checked(k, shots, count)
    return _written(ginc, np.full((count, shots), hmm), k, np.random.default_rng([seed, hmm, k]))


def mixed_prompts(
    ginc: GINC, k: int, *, shots: int | None = None, count: int = 1000, seed: int = 0
) -> Prompts:
    """A control: the same, but each shot goes on by a model of its own, any of them: nothing is to be learnt.

    A label is by the model of its shot. Arguments and errors are those of :func:`prompts`.
    """
    shots = _checked(k, shots, count)
    rng = np.random.default_rng([seed, ginc.hmms, k])
    return _written(ginc, rng.integers(0, ginc.hmms, (count, shots)), k, rng)


def shuffled_prompts(given: Prompts, *, seed: int = 0) -> Prompts:
    """A control: the last words of the shots of each prompt dealt anew among them; the labels stay.

    The words before still tell something of the model.
    """
    rng = np.random.default_rng([seed, 1])
    tokens = given.tokens.copy()
    last = given.places + 1
    tokens[:, last] = rng.permuted(tokens[:, last], axis=1)
    return given._replace(tokens=tokens)


def _checked(k: int, shots: int | None, count: int) -> int:
    """The number of shots."""
    if k < 2:
        raise InputError(f"k: expected at least 2 words in a shot, got {k}")
    shots = CONTEXT // (k + 1) if shots is None else shots
    if shots < 1 or count < 1:
        raise InputError(f"shots, count: expected at least 1, got {shots} and {count}")
    return shots


def _written(ginc: GINC, models: Tokens, k: int, rng: np.random.Generator) -> Prompts:
    """Prompts whose shots are by ``models`` [N, shots]."""
    count, shots = models.shape
    opening = rng.integers(1, ginc.properties, (count, 1))
    state = rng.integers(0, ginc.entities, (count, shots)) * ginc.properties + opening
    cumulated = ginc.transitions.cumsum(axis=2)
    likeliest: Tokens = ginc.words[ginc.transitions.argmax(axis=2)]
    tokens = np.full((count, shots, k + 1), DELIMITER)
    labels = np.empty((count, shots), np.int64)
    for place in range(k):
        if place == k - 1:
            labels = likeliest[models, state]
        if place:
            state = drawn(cumulated[models, state], rng)
        tokens[:, :, place] = ginc.words[state]
    return Prompts(tokens.reshape(count, -1), labels, np.arange(shots) * (k + 1) + k - 2)
