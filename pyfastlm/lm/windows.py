"""Which tokens the model sees, and which it is scored on: the windows of lm-evaluation-harness."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Tokens


class Window(NamedTuple):
    """One pass of the model: it reads ``inputs``; its last ``len(targets)`` outputs predict ``targets``."""

    inputs: Tokens
    targets: Tokens


def rolling(tokens: Tokens, prefix: int, max_length: int) -> Iterator[Window]:
    """Split a text so that each of its tokens is predicted exactly once.

    The first window starts with ``prefix`` and predicts ``max_length`` tokens; each later one predicts the
    next ``max_length`` tokens from the one before them. The last reaches back until it is full, so its
    tokens see a longer context.

    Source: lm-evaluation-harness, ``get_rolling_token_windows`` with ``context_len=1`` and
    ``make_disjoint_window``, in ``lm_eval/utils.py``.
    """
    end = min(max_length, len(tokens))
    if end:
        yield Window(np.concatenate([[prefix], tokens[: end - 1]]).astype(np.int32), tokens[:end])
    while end < len(tokens):
        start = end
        end = min(start + max_length, len(tokens))
        yield Window(tokens[end - max_length - 1 : end - 1], tokens[start:end])


def conditional(context: Tokens, continuation: Tokens, max_length: int) -> Window:
    """One window that predicts ``continuation``; a context too long for ``max_length`` loses its left end.

    Raises:
        InputError: the continuation alone is longer than ``max_length``.

    Source: lm-evaluation-harness, ``_loglikelihood_tokens`` in ``lm_eval/models/huggingface.py``.
    """
    if len(continuation) > max_length:
        raise InputError(
            f"expected a continuation of at most {max_length} tokens, got {len(continuation)}; "
            "raise max_length or split the continuation"
        )
    return Window(np.concatenate([context, continuation])[-(max_length + 1) : -1], continuation)
