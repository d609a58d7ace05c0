"""Token ids as arguments, checked; whoever is wrong is named as the caller names it."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.loading import LM

TokenIds: TypeAlias = Sequence[int] | NDArray[Any]
Ids: TypeAlias = NDArray[np.int64]


def token_ids(name: str, given: Any, lm: LM, *, at_least: int = 1) -> Ids:
    """One sequence, [T] int64.

    Raises:
        InputError, InputTypeError: no whole numbers in one row, fewer than ``at_least``, or an id that the
            model does not have.
    """
    if isinstance(given, str | bytes):
        raise InputTypeError(f"{name}: expected token ids, got {type(given).__name__}; use the tokenizer")
    ids = whole_numbers(name, given)
    if len(ids) < at_least:
        raise InputError(f"{name}: expected at least {at_least} tokens, got {len(ids)}")
    vocabulary = lm.model.get_input_embeddings().weight.shape[0]
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary:
        wrong = int(ids[(ids < 0) | (ids >= vocabulary)][0])
        raise InputError(
            f"{name}: expected ids in [0, {vocabulary}), got {wrong}; use the model's own tokenizer"
        )
    return ids


def token_lists(name: str, given: Any, lm: LM, *, at_least: int = 1) -> list[Ids]:
    """Several sequences; a single one makes a list of one.

    Raises:
        InputError, InputTypeError: as :func:`token_ids`, for each; there is no sequence.
    """
    if is_single(name, given):
        return [token_ids(name, given, lm, at_least=at_least)]
    return [token_ids(f"{name}[{place}]", row, lm, at_least=at_least) for place, row in enumerate(given)]


def is_single(name: str, given: Any) -> bool:
    """Whether ``given`` is one sequence, not several.

    Raises:
        InputError, InputTypeError: it is neither.
    """
    if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
        raise InputTypeError(f"{name}: expected token ids, got {type(given).__name__}; use the tokenizer")
    if len(given) == 0:
        raise InputError(f"{name}: expected at least one sequence of token ids, got nothing")
    first = given[0]
    return not hasattr(first, "__len__") or getattr(first, "ndim", 1) == 0  # a tensor of one number has, too


def whole_numbers(name: str, values: Any) -> Ids:
    """[n] int64.

    Raises:
        InputTypeError: they are not whole numbers, or not in one row.
    """
    try:
        found = np.asarray(values)
    except (ValueError, TypeError):
        found = np.empty(1, object)
    if found.ndim == 1 and found.size == 0:
        return np.empty(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.dtype == np.uint64:
        raise InputTypeError(f"{name}: expected a sequence of whole numbers, got {values!r:.80}")
    return found.astype(np.int64)
