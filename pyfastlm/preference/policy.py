"""A causal LM that reads pairs of answers, differentiably: prompts once, logits of no token."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pyfastlm.lm import engine
from pyfastlm.lm.body import PackedBody
from pyfastlm.lm.head import LinearHead
from pyfastlm.lm.packing import Index, release
from pyfastlm.preference.encoding import TokenPair
from pyfastlm.preference.tree import Forest, forest, windows


class PairLogps(NamedTuple):
    """Log-probabilities [N] of whole answers, in nats: sums over their tokens."""

    chosen: Tensor
    rejected: Tensor


class Policy:
    """Reads pairs with ``model``, a causal LM of transformers; with adapters of PEFT in it or not.

    How it is read (packed, what is shared) is found out by trying, with the weights that it has now; weights
    may change later. Not thread-safe: it borrows the model's attention while it reads.

    Attributes:
        model: as given.
        shares: whether what sequences begin with in common is read once.
        notes: what this model does not allow, and why; empty for most.

    Raises:
        InputError: the model is not causal, or predicts NaN.
    """

    def __init__(self, model: Any, max_length: int) -> None:
        bare = model.get_base_model() if hasattr(model, "get_base_model") else model
        body, head, self.notes = engine.build(bare, max_length)
        self.model, self.shares = model, body.shares
        self._bare, self._body, self._head = bare, body, head

    def logps(self, pairs: Sequence[TokenPair]) -> PairLogps:
        """Log-probabilities of the answers of some pairs, read together; differentiable.

        Float32 (float64 for a model in float64); summed in float64. All tokens of the pairs go through the
        model at once: memory grows with them, and not with the vocabulary (but for the gradient of the last
        projection, where that learns).
        """
        with self.reading(pairs) as found:
            return found

    @contextlib.contextmanager
    def reading(self, pairs: Sequence[TokenPair]) -> Iterator[PairLogps]:
        """The same, for a model with gradient checkpointing: the backward pass belongs into the context."""
        read = forest(windows(pairs), shares=self.shares)
        with self.recomputing(read):
            outputs = self.outputs(read)
            rows, targets, tokens, owners = on(
                outputs.device, read.rows, read.targets, read.tokens, read.owners
            )
            logp = self._logp(outputs[rows], targets)
            sums = torch.zeros(2 * len(pairs), dtype=torch.float64, device=logp.device)
            sums = sums.index_add(0, owners, logp[tokens].double())
            yield PairLogps(*sums.to(logp.dtype).chunk(2))

    def outputs(self, read: Forest) -> Tensor:
        """What the body puts out for all tokens of a forest, [N, D]; differentiable."""
        outputs = self._body.hidden(read.batch, ())
        release(read.batch, (), ())
        return outputs

    def recomputing(self, read: Forest) -> contextlib.AbstractContextManager[None]:
        """In it, a backward pass may run layers of :meth:`outputs` again (gradient checkpointing)."""
        if isinstance(self._body, PackedBody):
            return self._body.recomputing(read.batch)
        return contextlib.nullcontext()

    def head(self) -> LinearHead | None:
        """The last projection with its weights of now, to which gradients flow; None if it is not plain."""
        if not isinstance(self._head, LinearHead):
            return None
        return self._head.live(self._bare)

    def _logp(self, outputs: Tensor, targets: Tensor) -> Tensor:
        head = self.head()
        if head is None:
            return self._head.logp(outputs, targets, greedy=False)[0]
        return head.predictions(outputs, targets).logp


def on(device: torch.device, *indices: Index) -> tuple[Tensor, ...]:
    """The same as tensors of a device."""
    return tuple(torch.from_numpy(index).to(device) for index in indices)
