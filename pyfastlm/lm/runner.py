"""A causal LM that reads token sequences in batches without padding, the fastest way that is right for it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.lm import engine
from pyfastlm.lm.head import Head, LinearHead
from pyfastlm.lm.loading import LM
from pyfastlm.lm.packing import Batch, Index, Piece, batches, release

TOKENS_PER_BATCH = 1024  # more do not fit into the caches of a CPU
DEFAULT_LENGTH = 2048  # where neither model nor tokenizer names one; as in lm-evaluation-harness
HUGE = int(1e18)  # tokenizers without a limit name a number above
LOGITS_PER_BATCH = 512  # tokens, where the model's own logits have to be held

Scored: TypeAlias = tuple[Index, NDArray[np.float32], NDArray[np.bool_] | None]


class Runner:
    """Runs pieces of sequences through a model.

    Args:
        lm: the model.
        max_length: the longest sequence, in tokens; see :func:`context_length`.
        tokens_per_batch: how many tokens go through the model together.
        precision: ``"model"`` or ``"int8"``, see :func:`pyfastlm.lm.engine.build`.

    Attributes:
        body: everything below the head.
        head: from what :meth:`hidden` gives to predictions.
        budget: tokens of a batch.
        shares: whether pieces may have parents.
        notes: what this model does not allow, and why.

    Raises:
        InputError, InputTypeError: an argument is wrong, or the model is not causal.
    """

    def __init__(
        self, lm: LM, max_length: int, tokens_per_batch: int = TOKENS_PER_BATCH, precision: str = "model"
    ) -> None:
        asked = positive("tokens_per_batch", tokens_per_batch)
        self.body, head, self.notes = engine.build(lm.model, max_length, precision)
        self.head: Head = head
        self.shares = self.body.shares
        self.budget = asked if isinstance(head, LinearHead) else min(asked, LOGITS_PER_BATCH)

    @torch.inference_mode()
    def hidden(self, batch: Batch, later: Sequence[Piece]) -> Tensor:
        """What the head takes, [N, D] for the N tokens of the batch; pieces in ``later`` keep their keys."""
        return self.body.hidden(batch, later)

    def run(self, pieces: Iterable[Piece], *, greedy: bool) -> Iterator[Scored]:
        """Slots, log-probabilities and (if ``greedy``) whether the target is the argmax; batch by batch."""
        stream = batches(pieces, self.budget)
        batch = next(stream, None)
        held: Sequence[Piece] = ()
        while batch:
            following = next(stream, None)
            later = following[0].parents if following else ()
            yield self._score(batch, later, greedy)
            # Pieces come in depth-first order: what comes next needs only the parents of the first.
            release(batch, held, later)
            held, batch = later, following

    @torch.inference_mode()
    def _score(self, batch: Batch, later: Sequence[Piece], greedy: bool) -> Scored:
        starts = np.cumsum([0, *(len(piece.tokens) for piece in batch[:-1])])
        rows = np.concatenate([piece.rows + start for piece, start in zip(batch, starts, strict=True)])
        targets = np.concatenate([piece.targets for piece in batch])
        slots = np.concatenate([piece.slots for piece in batch])
        out = self.body.hidden(batch, later)
        if not (len(rows) == len(out) and (rows == np.arange(len(rows))).all()):
            out = out[torch.from_numpy(rows).to(out.device)]
        logp, hit = self.head.logp(out, torch.from_numpy(targets).to(out.device), greedy=greedy)
        return slots, logp.cpu().numpy(), None if hit is None else hit.cpu().numpy()


def context_length(lm: LM, asked: int | None = None) -> int:
    """What is asked for, else the context of the model: the rule of lm-evaluation-harness.

    Raises:
        InputError, InputTypeError: ``asked`` is no positive whole number, or the model cannot read so much.
    """
    config = lm.model.config
    text = getattr(config, "text_config", None) or config
    names = ("n_positions", "max_position_embeddings", "n_ctx")
    own = next((int(n) for name in names if (n := getattr(text, name, None)) is not None), None)
    if asked is None:
        limit = int(getattr(lm.tokenizer, "model_max_length", HUGE))
        return own or (limit if limit < HUGE else DEFAULT_LENGTH)
    asked = positive("max_length", asked)
    if own is not None and asked > own:
        raise InputError(f"max_length: expected at most the model's context of {own} tokens, got {asked}")
    return asked


def positive(name: str, value: int) -> int:
    """``value``, if it is a whole number above zero.

    Raises:
        InputError, InputTypeError: it is not; named ``name``.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name}: expected a whole number, got {value!r}")
    if value < 1:
        raise InputError(f"{name}: expected a whole number >= 1, got {value}")
    return value
