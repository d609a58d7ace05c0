"""What a :class:`pyfastlm.lm.Scorer` returns."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TextScore:
    """A whole text: ``logp`` in nats, summed in float64 over ``n_tokens`` tokens in ``n_windows`` windows.

    ``n_bytes`` is the length of the text in UTF-8. An empty text has ``logp`` 0 in 0 windows.
    """

    logp: float
    n_tokens: int
    n_bytes: int
    n_windows: int

    @property
    def bits_per_byte(self) -> float:
        """``-logp / (ln 2 * n_bytes)``; NaN for an empty text."""
        return -self.logp / (math.log(2) * self.n_bytes) if self.n_bytes else math.nan


@dataclass(frozen=True, slots=True)
class PairScore:
    """A continuation given its context: ``logp`` in nats, summed in float64 over ``n_tokens`` tokens.

    ``is_greedy``: every token of the continuation is the most probable one. A continuation that adds no
    token has ``logp`` 0 and is greedy.
    """

    logp: float
    n_tokens: int
    is_greedy: bool


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """A text token by token.

    ``ids`` [n] int64; ``logp`` [n] float32, nats; ``spans`` [n, 2] int64: token i covers
    ``text[spans[i, 0]:spans[i, 1]]`` (characters). Where one character takes several tokens they share
    its span; special tokens that the tokenizer added have an empty span.
    """

    ids: NDArray[np.int64]
    logp: NDArray[np.float32]
    spans: NDArray[np.int64]
