"""Examples one after the other, as a model of GINC would write them: prompts to learn from in context."""

from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.world import DELIMITER, GINC, Doubles, Tokens

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
    if k < 2:
        raise InputError(f"k: expected at least 2 words in a shot, got {k}")
    shots = CONTEXT // (k + 1) if shots is None else shots
    if shots < 1 or count < 1:
        raise InputError(f"shots, count: expected at least 1, got {shots} and {count}")
    rng = np.random.default_rng([seed, hmm, k])
    opening = rng.integers(1, ginc.properties, count)[:, None]
    state = rng.integers(0, ginc.entities, (count, shots)) * ginc.properties + opening
    cumulated = ginc.transitions[hmm].cumsum(axis=1)
    tokens = np.full((count, shots, k + 1), DELIMITER)
    labels = np.empty((count, shots), np.int64)
    for place in range(k):
        if place == k - 1:
            labels = ginc.words[ginc.transitions[hmm].argmax(axis=1)][state]
        if place:
            state = drawn(cumulated, state, rng)
        tokens[:, :, place] = ginc.words[state]
    return Prompts(tokens.reshape(count, -1), labels, np.arange(shots) * (k + 1) + k - 2)


def drawn(cumulated: Doubles, state: Tokens, rng: np.random.Generator) -> Tokens:
    """The states that follow, given cumulated rows of probabilities [S, S]."""
    found = (cumulated[state] < rng.random(state.shape)[..., None]).sum(axis=-1)
    following: Tokens = np.minimum(found, len(cumulated) - 1)  # rows sum to 1 up to rounding
    return following
