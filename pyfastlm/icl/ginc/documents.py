"""Texts as the models of GINC write them: what a language model is trained on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.ginc.world import GINC, Tokens, drawn


class Documents(NamedTuple):
    """``tokens`` [N, length], and ``models`` [N], who wrote each."""

    tokens: Tokens
    models: Tokens


def documents(
    ginc: GINC,
    length: int,
    *,
    count: int,
    hmms: Sequence[int] | None = None,
    smoothing: float = 0.0,
    seed: int | tuple[int, ...] = 0,
) -> Documents:
    """Draw documents, each by one model.

    Args:
        ginc: the world.
        length: words of a document.
        count, seed: of the documents.
        hmms: the models that may write, each as likely as the others; all by default.
        smoothing: this share of all steps goes anywhere, as :func:`~pyfastlm.icl.beliefs` has it, which is
            then what the best learner of these documents does.

    Raises:
        InputError: there is no such model, or a number is too small.
    """
    writers = checked_writers(ginc, range(ginc.hmms) if hmms is None else hmms)
    if length < 1 or count < 1:
        raise InputError(f"length, count: expected at least 1, got {length} and {count}")
    if not 0 <= smoothing <= 1:
        raise InputError(f"smoothing: expected a share, got {smoothing}")
    rng = np.random.default_rng(seed)
    models = np.array(writers)[rng.integers(0, len(writers), count)]
    cumulated = ginc.transitions.cumsum(axis=2)
    tokens = np.empty((count, length), np.int64)
    state = np.empty(count, np.int64)
    for place in range(length):
        rows = cumulated[models, state] if place else ginc.start.cumsum(axis=1)[models]
        state = drawn(rows, rng)
        if smoothing:
            anywhere = rng.integers(0, len(ginc.words), count)
            state = np.where(rng.random(count) < smoothing, anywhere, state)
        tokens[:, place] = ginc.words[state]
    return Documents(tokens, models)


def checked_writers(ginc: GINC, hmms: Sequence[int]) -> tuple[int, ...]:
    """``hmms``, all of them models of the world.

    Raises:
        InputError: one is not, or there is none.
    """
    if not len(hmms) or not all(0 <= hmm < ginc.hmms for hmm in hmms):
        raise InputError(f"hmms: expected models from 0 to {ginc.hmms - 1}, got {tuple(hmms)}")
    return tuple(hmms)
