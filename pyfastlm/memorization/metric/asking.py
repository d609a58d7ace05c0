"""What is to be measured: token sequences, starts and prefix lengths, checked."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.loading import LM
from pyfastlm.lm.runner import context_length, positive

TokenIds: TypeAlias = Sequence[int] | NDArray[Any]
Numbers: TypeAlias = NDArray[np.int64]


def sequences(tokens: TokenIds | Sequence[TokenIds], lm: LM) -> tuple[list[Tokens], bool]:
    """Each sequence as int32 [T], and whether ``tokens`` was a single one.

    Raises:
        InputError, InputTypeError: nothing, no whole numbers, or a token that the model does not have.
    """
    if isinstance(tokens, str | bytes) or not hasattr(tokens, "__len__"):
        raise InputTypeError(f"tokens: expected token ids, got {type(tokens).__name__}; use the tokenizer")
    if len(tokens) == 0:
        raise InputError("tokens: expected at least one token or sequence, got nothing")
    if np.ndim(tokens[0]) == 0 and not isinstance(tokens[0], str | bytes):
        return [sequence(tokens, lm)], True
    return [sequence(one, lm, f"tokens[{i}]") for i, one in enumerate(tokens)], False


def sequence(tokens: Any, lm: LM, name: str = "tokens") -> Tokens:
    """One sequence as int32 [T].

    Raises:
        InputError, InputTypeError: no whole numbers, or a token that the model does not have.
    """
    if isinstance(tokens, str | bytes):
        raise InputTypeError(f"{name}: expected token ids, got {type(tokens).__name__}; use the tokenizer")
    ids = whole_numbers(name, tokens)
    vocabulary = lm.model.get_input_embeddings().weight.shape[0]
    if len(ids) and not 0 <= ids.min() <= ids.max() < vocabulary:
        wrong = int(ids[(ids < 0) | (ids >= vocabulary)][0])
        raise InputError(
            f"{name}: expected ids in [0, {vocabulary}), got {wrong}; use the model's own tokenizer"
        )
    return ids.astype(np.int32)


def whole_numbers(name: str, values: Any) -> Numbers:
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


def refuse_mode(mode: object) -> None:
    """Raise :class:`InputError` where ``mode`` is none that there is."""
    if mode not in ("token", "normalized"):
        raise InputError(f"mode: expected 'token' or 'normalized', got {mode!r}")


def refuse_long(lm: LM, longest: int) -> None:
    """Raise :class:`InputError` where the model cannot read so many tokens at once."""
    if longest > (context := context_length(lm)):
        raise InputError(
            f"tokens: expected windows of at most the model's context of {context} tokens, got {longest}; "
            "shorten the longest prompt, or what is to be reproduced"
        )


def lengths(prefix_lengths: Sequence[int], horizon: int) -> tuple[int, ...]:
    """The prefix lengths as a tuple.

    Raises:
        InputError, InputTypeError: they are not different whole numbers above zero, or ``horizon`` is none.
    """
    positive("horizon", horizon)
    found = tuple(whole_numbers("prefix_lengths", prefix_lengths).tolist())
    for length in found:
        positive("prefix_lengths", length)
    if not found or len(set(found)) < len(found):
        raise InputError(f"prefix_lengths: expected different lengths, at least one, got {list(found)}")
    return found


def chosen_starts(starts: TokenIds | None, length: int, shortest: int) -> Numbers:
    """``starts``, or all that leave a token after the shortest prefix, in a sequence of ``length`` tokens.

    Raises:
        InputError, InputTypeError: a start is not in the sequence.
    """
    if starts is None:
        return np.arange(max(length - shortest, 0))
    found = whole_numbers("starts", starts)
    if len(found) and not 0 <= found.min() <= found.max() < length:
        wrong = int(found[(found < 0) | (found >= length)][0])
        raise InputError(f"starts: expected places in a sequence of {length} tokens, got {wrong}")
    return found
