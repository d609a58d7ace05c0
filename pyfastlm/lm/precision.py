"""What 8 bits cost on a sample of somebody's own texts, before a long run."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LMLike, as_lm
from pyfastlm.lm.scorer import Scorer


@dataclass(frozen=True)
class PrecisionReport:
    """A sample scored twice, as the model is and with ``precision="int8"``.

    Attributes:
        documents, tokens: in the sample, without empty texts.
        bits_per_byte, bits_per_byte_int8: of all documents together.
        mean_difference: of a document's bits, relative, with its sign.
        p95_difference, largest_difference: of the same, without sign.
        error_per_token: mean difference of a token's log-probability, nats, without sign.
        rank_correlation: Spearman's, of the documents' bits per byte; NaN for fewer than two.
        tokens_per_second, tokens_per_second_int8: of these runs.
    """

    documents: int
    tokens: int
    bits_per_byte: float
    bits_per_byte_int8: float
    mean_difference: float
    p95_difference: float
    largest_difference: float
    error_per_token: float
    rank_correlation: float
    tokens_per_second: float
    tokens_per_second_int8: float


def compare_precisions(
    lm: LMLike, texts: Sequence[str], *, max_length: int | None = None, progress: bool = False
) -> PrecisionReport:
    """Score texts as the model is and in 8 bits, and compare.

    Args:
        lm: a :class:`LM`, or anything :func:`load` takes.
        texts: a sample of those to be scored; some 30 documents tell the mean, some 500 the tail.
        max_length: tokens that the model reads at once.
        progress: show bars on standard error.

    Raises:
        InputError, InputTypeError: as of :class:`Scorer`, or no text has a token.
    """
    model = as_lm(lm)
    exact, exact_seconds = _scored(Scorer(model, max_length=max_length), texts, progress)
    int8, int8_seconds = _scored(Scorer(model, max_length=max_length, precision="int8"), texts, progress)
    kept = [place for place, logp in enumerate(exact) if len(logp)]
    if not kept:
        raise InputError("texts: expected at least one that is not empty")
    sizes = np.array([len(texts[place].encode()) for place in kept], np.float64)
    bits, bits_int8 = (
        np.array([-each[place].sum(dtype=np.float64) for place in kept]) / np.log(2) for each in (exact, int8)
    )
    difference = (bits_int8 - bits) / bits
    errors = np.concatenate([np.abs(exact[place] - int8[place]) for place in kept])
    return PrecisionReport(
        documents=len(kept),
        tokens=len(errors),
        bits_per_byte=float(bits.sum() / sizes.sum()),
        bits_per_byte_int8=float(bits_int8.sum() / sizes.sum()),
        mean_difference=float(difference.mean()),
        p95_difference=float(np.quantile(np.abs(difference), 0.95)),
        largest_difference=float(np.abs(difference).max()),
        error_per_token=float(errors.mean()),
        rank_correlation=_spearman(bits / sizes, bits_int8 / sizes),
        tokens_per_second=len(errors) / exact_seconds,
        tokens_per_second_int8=len(errors) / int8_seconds,
    )


def _scored(scorer: Scorer, texts: Sequence[str], progress: bool) -> tuple[list[NDArray[np.float32]], float]:
    """Log-probabilities of each text's tokens, and seconds."""
    started = time.perf_counter()
    found = [each.logp for each in scorer.token_logp(texts, progress=progress)]
    return found, time.perf_counter() - started


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if len(a) < 2:
        return float("nan")
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal values have the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
