"""Verbatim lengths from one pass per start."""

from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.following import Course, follow
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, Runner, context_length
from pyfastlm.memorization.metric import asking
from pyfastlm.memorization.metric.asking import Numbers, TokenIds
from pyfastlm.memorization.metric.copying import is_copied, is_trivial
from pyfastlm.memorization.metric.lengths import Mode, VerbatimLengths

PREFIX_LENGTHS = (8, 16, 32, 64)
HORIZON = 64


@overload
def verbatim_lengths(
    lm: LMLike,
    tokens: TokenIds,
    prefix_lengths: Sequence[int] = ...,
    horizon: int = ...,
    *,
    mode: Mode = ...,
    starts: Sequence[int] | None = ...,
    tokens_per_batch: int = ...,
    progress: bool = ...,
) -> VerbatimLengths: ...


@overload
def verbatim_lengths(
    lm: LMLike,
    tokens: Sequence[TokenIds],
    prefix_lengths: Sequence[int] = ...,
    horizon: int = ...,
    *,
    mode: Mode = ...,
    starts: Sequence[int] | None = ...,
    tokens_per_batch: int = ...,
    progress: bool = ...,
) -> list[VerbatimLengths]: ...


def verbatim_lengths(
    lm: LMLike,
    tokens: TokenIds | Sequence[TokenIds],
    prefix_lengths: Sequence[int] = PREFIX_LENGTHS,
    horizon: int = HORIZON,
    *,
    mode: Mode = "token",
    starts: Sequence[int] | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> VerbatimLengths | list[VerbatimLengths]:
    """How many tokens of ``tokens`` greedy decoding reproduces, from every start and prefix length.

    A prompt is ``tokens[start : start + p]``, just these: nothing is put in front of it, so a model that
    expects a bos token needs it in ``tokens``. Its length is how many of the following tokens the model
    decodes one by one, the most probable each time (the lowest id among equals), before it errs. Decoding
    does not stop at an end token, and uses nothing of the model's generation settings.

    Each start is read once for all prefix lengths, in one pass that decodes nothing
    (:mod:`pyfastlm.lm.following`). Equal to decoding with transformers' ``generate``, wherever ``ties`` is
    False.

    Args:
        lm: an ``LM``, or anything ``pyfastlm.lm.load`` takes.
        tokens: ids [T], or a sequence of such; windows of all are read together.
        prefix_lengths: of prompts, in tokens; each at least 1.
        horizon: the most tokens that are counted.
        mode: ``"token"``.
        starts: where prompts begin, the same for all sequences; by default everywhere where a token is left
            after the shortest prefix. A maximum grows with the number of prompts: compare like with like.
        tokens_per_batch: how many tokens go through the model together; speed against memory.
        progress: show a bar on standard error.

    Returns:
        :class:`VerbatimLengths`; a list of them for a list of sequences.

    Raises:
        InputError, InputTypeError: an argument is wrong; a window (longest prefix and horizon) is longer than
            the model's context; the model is not causal, or predicts NaN.

    Source: Huang, Yang and Potts (2024), and ``src/memorization_utils.py`` of their repository, which decodes
    every prompt.
    """
    model = as_lm(lm)
    vocabulary = model.model.get_input_embeddings().weight.shape[0]
    given, single = asking.sequences(tokens, vocabulary)
    prefixes = asking.lengths(prefix_lengths, horizon)
    grids = [_grid(one, prefixes, horizon, starts) for one in given]
    courses = [course for grid in grids for course in grid.courses]
    longest = max((course.size for course in courses), default=1)
    if longest > (context := context_length(model)):
        raise InputError(
            f"prefix_lengths: expected windows of at most the model's context of {context} tokens, got "
            f"{longest}; shorten the longest prefix or the horizon"
        )
    runner = Runner(model, longest, tokens_per_batch)
    followed = watched(follow(runner, courses), len(courses), "starts", progress)
    for grid in grids:
        for row in grid.rows:
            found = next(followed)
            columns = grid.limits[row] > 0
            grid.lengths[row, columns] = found.lengths
            grid.ties[row, columns] = found.close
    results = [_finish(model, grid, prefixes, horizon) for grid in grids]
    return results[0] if single else results


class _Grid(NamedTuple):
    """The prompts of one sequence; ``rows`` are the starts that have a course."""

    tokens: Tokens
    starts: Numbers
    limits: Numbers
    lengths: Numbers
    ties: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]"
    rows: list[int]
    courses: list[Course]


def _grid(tokens: Tokens, prefixes: tuple[int, ...], horizon: int, starts: Sequence[int] | None) -> _Grid:
    at = asking.chosen_starts(starts, len(tokens), min(prefixes))
    limits = np.minimum(len(tokens) - at[:, None] - np.array(prefixes), horizon)
    limits[limits < 1] = -1
    rows = np.flatnonzero((limits > 0).any(axis=1)).tolist()
    courses = [
        Course(tokens[at[row] :], np.array(prefixes)[limits[row] > 0], limits[row][limits[row] > 0])
        for row in rows
    ]
    lengths = np.full_like(limits, -1)
    return _Grid(tokens, at, limits, lengths, np.zeros(limits.shape, np.bool_), rows, courses)


def _finish(lm: LM, grid: _Grid, prefixes: tuple[int, ...], horizon: int) -> VerbatimLengths:
    copied = np.zeros(grid.limits.shape, np.bool_)
    trivial = np.zeros(grid.limits.shape, np.bool_)
    decode = lm.tokenizer.decode
    for i, j in np.argwhere(grid.lengths > 0).tolist():
        start, p, length = int(grid.starts[i]), prefixes[j], int(grid.lengths[i, j])
        reproduced = grid.tokens[start + p : start + p + length]
        text = decode(reproduced)
        # Whatever follows: the output starts with this text, so its start is in the prompt only if this is.
        copied[i, j] = is_copied(length, decode(grid.tokens[start : start + p]), text, text)
        trivial[i, j] = is_trivial(reproduced, text)
    return VerbatimLengths(
        grid.starts, prefixes, grid.lengths, grid.limits, copied, grid.ties, trivial, horizon
    )
