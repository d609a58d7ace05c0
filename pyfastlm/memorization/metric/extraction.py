"""Whether, and how probably, prompting with ``n`` tokens of a sequence brings out the next ``k``."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.encoding import Tokens
from pyfastlm.lm.loading import LM, LMLike, as_lm
from pyfastlm.lm.packing import Piece, batches
from pyfastlm.lm.progress import watched
from pyfastlm.lm.runner import TOKENS_PER_BATCH, Runner, positive
from pyfastlm.lm.sampling import Sampling
from pyfastlm.memorization.metric import asking
from pyfastlm.memorization.metric.lengths import Flags
from pyfastlm.memorization.metric.measuring import verbatim_lengths
from pyfastlm.memorization.token_ids import Ids, TokenIds, token_ids


@dataclass(frozen=True, eq=False)
class Extractable:
    """Which suffixes greedy decoding brings out, from S starts of one sequence.

    ``starts`` [S] int64; ``extracted`` [S], whether all k tokens are reproduced; ``copied`` and ``ties`` [S]
    as in :class:`pyfastlm.memorization.VerbatimLengths`.
    """

    starts: Ids
    extracted: Flags
    copied: Flags
    ties: Flags

    @property
    def share(self) -> float:
        """Share of starts that are extracted and not copied; NaN where there is none."""
        return float((self.extracted & ~self.copied).mean()) if len(self.starts) else float("nan")


@dataclass(frozen=True, eq=False)
class ExtractionProbability:
    """How probably one sample is the true suffix, from S starts of one sequence.

    ``starts`` [S] int64; ``logp`` [S] float64, nats; -inf where sampling cannot give the suffix.
    """

    starts: Ids
    logp: NDArray[np.float64]

    def within(self, samples: int) -> NDArray[np.float64]:
        """[S], the probability that at least one of so many independent samples is the suffix.

        A suffix is (samples, p)-discoverably extractable where this is at least p.
        """
        at_least_one: NDArray[np.float64] = -np.expm1(positive("samples", samples) * self._missed())
        return at_least_one

    def samples_for(self, p: float) -> NDArray[np.float64]:
        """[S], how many samples at least bring out the suffix with probability ``p``; inf for never."""
        if not 0 < p < 1:
            raise InputError(f"p: expected a probability in (0, 1), got {p!r}")
        with np.errstate(divide="ignore"):
            wanted: NDArray[np.float64] = np.maximum(np.ceil(np.log1p(-p) / self._missed()), 1.0)
        return wanted

    def _missed(self) -> NDArray[np.float64]:
        """[S], log-probability that one sample is something else; -0.0, not 0.0, where that is certain."""
        with np.errstate(divide="ignore"):
            missed: NDArray[np.float64] = np.log1p(-np.exp(self.logp))
        return missed


def extractable(
    lm: LMLike,
    tokens: TokenIds,
    n: int = 50,
    k: int = 50,
    *,
    starts: TokenIds | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> Extractable:
    """(n, k)-extractability: does greedy decoding after ``n`` tokens give exactly the next ``k``?

    Args:
        lm: an ``LM``, or anything ``pyfastlm.lm.load`` takes.
        tokens: ids [T] of one sequence; the prompt is ``tokens[start : start + n]``, just these.
        n: tokens of the prompt.
        k: tokens of the suffix.
        starts: where prompts begin; by default everywhere where n + k tokens are left.
        tokens_per_batch, progress: as in :func:`pyfastlm.memorization.verbatim_lengths`.

    Raises:
        InputError, InputTypeError: an argument is wrong, or a start has not n + k tokens.

    Source: Carlini et al., "Quantifying Memorization Across Neural Language Models" (2023), definition 3.1.
    """
    model, ids, at = _asked(lm, tokens, n, k, starts)
    found = verbatim_lengths(
        model, ids, (n,), k, starts=at, tokens_per_batch=tokens_per_batch, progress=progress
    )
    return Extractable(at, found.lengths[:, 0] == k, found.copied[:, 0], found.ties[:, 0])


def extraction_probability(
    lm: LMLike,
    tokens: TokenIds,
    n: int = 50,
    k: int = 50,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    starts: TokenIds | None = None,
    tokens_per_batch: int = TOKENS_PER_BATCH,
    progress: bool = False,
) -> ExtractionProbability:
    """How probably sampling ``k`` tokens after ``n`` gives exactly the next ``k``, without sampling.

    The probability of a sample is the product of the probabilities of its tokens, each given the true ones
    before it: one pass over the true tokens gives all of them.

    Args:
        lm, tokens, n, k, starts: as in :func:`extractable`.
        temperature, top_k, top_p: how the model is sampled, as by transformers' ``generate``; None for no
            cut. ``generate`` itself cuts by ``top_k=50`` unless told otherwise.
        tokens_per_batch, progress: as in :func:`pyfastlm.memorization.verbatim_lengths`.

    Raises:
        InputError, InputTypeError: an argument is wrong, or a start has not n + k tokens.

    Source: Hayes et al., "Measuring memorization in language models via probabilistic extraction" (2024).
    """
    sampling = Sampling(temperature, top_k, top_p)
    model, ids, at = _asked(lm, tokens, n, k, starts)
    runner = Runner(model, n + k - 1, tokens_per_batch)
    windows = (ids[start : start + n + k] for start in at.tolist())
    logp = [*watched(_logp(runner, windows, n, sampling), len(at), "starts", progress)]
    return ExtractionProbability(at, np.minimum(np.array(logp, np.float64), 0.0))


def _asked(lm: LMLike, tokens: TokenIds, n: int, k: int, starts: TokenIds | None) -> tuple[LM, Tokens, Ids]:
    model = as_lm(lm)
    ids: Tokens = token_ids("tokens", tokens, model, at_least=0).astype(np.int32)
    room = positive("n", n) + positive("k", k)
    asking.refuse_long(model, room - 1)
    at = asking.chosen_starts(starts, len(ids), room - 1)
    if len(at) and at.max() + room > len(ids):
        raise InputError(f"starts: expected n + k = {room} tokens after each, got {at.max()} of {len(ids)}")
    return model, ids, at


def _logp(runner: Runner, windows: Iterator[Tokens], n: int, sampling: Sampling) -> Iterator[float]:
    pieces = (Piece(window[:-1], targets=window[n:].astype(np.int64)) for window in windows)
    for batch in batches(pieces, runner.budget):
        outputs = runner.hidden(batch, ())
        stops = np.cumsum([len(piece.tokens) for piece in batch])
        k = len(batch[0].targets)
        rows = torch.from_numpy((stops[:, None] - k + np.arange(k)).ravel())
        targets = torch.from_numpy(np.concatenate([piece.targets for piece in batch]))
        logp = sampling.logp(runner.head, outputs[rows.to(outputs.device)], targets.to(outputs.device))
        yield from logp.double().reshape(len(batch), k).sum(dim=1).tolist()
