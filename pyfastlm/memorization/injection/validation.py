"""How well a model predicts a stream that it does not learn from."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.next_token import NextToken
from pyfastlm.lm.vocabulary import token_bytes
from pyfastlm.memorization.injection.stream import TokenStream


class Validation:
    """Loss on all targets of ``stream``, ``batch_size`` examples at once."""

    def __init__(self, stream: TokenStream, tokenizer: Any, vocabulary: int, batch_size: int) -> None:
        self._stream = stream
        self._batch_size = batch_size
        self._vocabulary = vocabulary
        self._lengths = _lengths(tokenizer, vocabulary)

    @torch.no_grad()
    def measure(self, model: Any, objective: NextToken) -> tuple[float, float | None]:
        """Nats for each token, and bits for each byte of text (special tokens have none).

        The sums over batches are float64. The mode of the model is put back at the end.
        """
        training = model.training
        model.eval()
        nats, tokens, n_bytes = 0.0, 0, 0
        for start in range(0, len(self._stream), self._batch_size):
            numbers = np.arange(start, min(start + self._batch_size, len(self._stream)))
            examples = self._stream.examples(numbers, self._vocabulary)
            total, count = objective(torch.from_numpy(examples).to(model.device))
            nats += float(total)
            tokens += count
            n_bytes += 0 if self._lengths is None else int(self._lengths[examples[:, 1:]].sum())
        model.train(training)
        return nats / tokens, nats / math.log(2) / n_bytes if n_bytes else None


def _lengths(tokenizer: Any, vocabulary: int) -> NDArray[np.int64] | None:
    """Bytes of each token id [vocabulary]; None where they are not known."""
    if tokenizer is None:
        return None
    try:
        known = [len(found or b"") for found in token_bytes(tokenizer)][:vocabulary]
    except InputError:
        return None
    return np.pad(np.array(known, np.int64), (0, vocabulary - len(known)))
