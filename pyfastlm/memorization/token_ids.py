"""Token ids as arguments that have names of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.loading import LM
from pyfastlm.memorization.metric.asking import sequence

Ids = NDArray[np.int64]


def token_ids(name: str, given: Any, lm: LM, *, at_least: int = 1) -> Ids:
    """One sequence, [T] int64.

    Raises:
        InputError, InputTypeError: no whole numbers in one row, fewer than ``at_least``, or an id that the
            model does not have; names ``name``.
    """
    ids = sequence(given, lm, name).astype(np.int64)
    if len(ids) < at_least:
        raise InputError(f"{name}: expected at least {at_least} tokens, got {len(ids)}")
    return ids


def token_lists(name: str, given: Any, lm: LM, *, at_least: int = 1) -> list[Ids]:
    """Several sequences; a single one makes a list of one.

    Raises:
        InputError, InputTypeError: as :func:`token_ids`, for each; there is no sequence.
    """
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise InputTypeError(f"{name}: expected token ids, got {type(given).__name__}; use the tokenizer")
    if len(given) == 0:
        raise InputError(f"{name}: expected at least one sequence of token ids, got none")
    several = hasattr(given[0], "__len__") and not isinstance(given[0], str | bytes)
    rows: Sequence[Any] = given if several else [given]
    return [
        token_ids(f"{name}[{place}]" if several else name, row, lm, at_least=at_least)
        for place, row in enumerate(rows)
    ]
