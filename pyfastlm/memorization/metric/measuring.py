"""Verbatim lengths from one pass per start."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np

from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.following import Course, follow
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, Runner
from pyfastlm.memorization.metric import asking, exact, normalized
from pyfastlm.memorization.metric.judged import Judged
from pyfastlm.memorization.metric.lengths import Mode, VerbatimLengths
from pyfastlm.memorization.metric.texts import Texts
from pyfastlm.memorization.token_ids import Ids, TokenIds, is_single, token_lists

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
    starts: TokenIds | None = ...,
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
    starts: TokenIds | None = ...,
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
    starts: TokenIds | None = None,
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
        mode: ``"token"`` compares tokens. ``"normalized"`` compares words (runs of ASCII letters and digits,
            in the text of the output and of all that follows the prompt) as the reference does, and counts
            the tokens of those that both start with; it really decodes, but only from the first wrong token
            until the words differ too. The limit is then what the words of the tokens within the horizon
            would count; where the tokenizer cuts them otherwise, a length may exceed it.
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
    asking.refuse_mode(mode)
    model = as_lm(lm)
    given = token_lists("tokens", tokens, model, at_least=0)
    prefixes = asking.lengths(prefix_lengths, horizon)
    grids = [_grid(one, prefixes, horizon, starts) for one in given]
    courses = [course for grid in grids for course in grid.courses]
    longest = max((course.size for course in courses), default=1)
    asking.refuse_long(model, longest)
    runner, texts = Runner(model, longest, tokens_per_batch), Texts(model.tokenizer)
    every = watched(_judged(runner, texts, courses, mode), len(courses), "starts", progress)
    with contextlib.closing(every) as judged:
        results = [_finish(grid, prefixes, horizon, mode, judged) for grid in grids]
    return results[0] if is_single("tokens", tokens) else results


class _Grid(NamedTuple):
    """The prompts of one sequence; ``rows`` are the starts that have a course."""

    starts: Ids
    limits: Ids
    rows: list[int]
    courses: list[Course]


def _grid(tokens: Ids, prefixes: tuple[int, ...], horizon: int, starts: TokenIds | None) -> _Grid:
    at = asking.chosen_starts(starts, len(tokens), min(prefixes))
    read: Tokens = tokens.astype(np.int32)
    limits = np.minimum(len(tokens) - at[:, None] - np.array(prefixes), horizon)
    rows = np.flatnonzero((limits > 0).any(axis=1)).tolist()
    courses = [
        Course(read[at[row] :], np.array(prefixes)[limits[row] > 0], limits[row][limits[row] > 0])
        for row in rows
    ]
    return _Grid(at, limits, rows, courses)


def _judged(runner: Runner, texts: Texts, courses: Sequence[Course], mode: Mode) -> Iterator[Judged]:
    for batch in follow(runner, courses, runner_up=mode == "normalized"):
        if mode == "token":
            yield from (exact.judge(texts, found) for found in batch)
        else:
            yield from normalized.judge(runner, texts, batch)


def _finish(
    grid: _Grid, prefixes: tuple[int, ...], horizon: int, mode: Mode, judged: Iterator[Judged]
) -> VerbatimLengths:
    shape = grid.limits.shape
    lengths, limits = np.full(shape, -1), np.full(shape, -1)
    copied, ties, trivial = (np.zeros(shape, np.bool_) for _ in range(3))
    for row in grid.rows:
        one = next(judged)
        columns = grid.limits[row] > 0
        lengths[row, columns], limits[row, columns] = one.lengths, one.limits
        copied[row, columns], ties[row, columns], trivial[row, columns] = one.copied, one.ties, one.trivial
    return VerbatimLengths(
        grid.starts, prefixes, lengths, limits, copied, ties, trivial, horizon=horizon, mode=mode
    )
