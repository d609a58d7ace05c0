"""What is to be measured: starts, prefix lengths and modes, checked."""

from collections.abc import Sequence

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM
from pyfastlm.lm.runner import context_length, positive
from pyfastlm.memorization.token_ids import Ids, TokenIds, whole_numbers


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


def chosen_starts(starts: TokenIds | None, length: int, shortest: int) -> Ids:
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
