"""Which examples are replaced by which sequence, and the batches that come of it."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.lm.next_token import NOTHING
from pyfastlm.lm.order import Order
from pyfastlm.memorization.injection.injection import Injection
from pyfastlm.memorization.injection.stream import TokenStream


class Batch(NamedTuple):
    """``tokens`` [B, window + 1] int64, -1 after the end of a short sequence; ``planted`` [B] int64: which
    sequence a row holds, by its place in :attr:`Plan.injections`, -1 for a row of the stream."""

    tokens: NDArray[np.int64]
    planted: NDArray[np.int64]


class Plan:
    """The injections of one run, encoded and checked.

    Args:
        injections: each with a name and tokens of its own.
        tokenizer: for those that are texts; None where there are none.
        window: of the stream.
        vocabulary: number of tokens that the model knows.
        steps, batch_size: of the run.

    Raises:
        InputError: names or tokens occur twice, two sequences want one place, one wants a place that the run
            does not reach, or a token is not of the model.
    """

    def __init__(
        self,
        injections: Sequence[Injection],
        tokenizer: Any,
        window: int,
        *,
        vocabulary: int,
        steps: int,
        batch_size: int,
    ) -> None:
        self.injections = tuple(injections)
        self.tokens = tuple(injection.tokens(tokenizer, window + 1) for injection in injections)
        self.batch_size = batch_size
        self._vocabulary = vocabulary
        self._rows = np.full((len(self.injections), window + 1), NOTHING, np.int64)
        self._place: dict[int, int] = {}
        self._known: dict[bytes, int] = {}
        names: set[str] = set()
        for number, (injection, tokens) in enumerate(zip(self.injections, self.tokens, strict=True)):
            name = injection.sequence
            if name in names:
                raise InputError(f"injections: expected each name once, got {name!r} twice")
            names.add(name)
            if tokens.max() >= vocabulary:
                raise InputError(
                    f"injections: {name!r} has token {tokens.max()}, but the model has {vocabulary:,} entries"
                )
            self._rows[number, : len(tokens)] = tokens
            same = self._known.setdefault(self._rows[number].tobytes(), number)
            if same != number:
                raise InputError(
                    f"injections: {self.injections[same].sequence!r} and {name!r} are the same tokens, so "
                    "their repetitions could not be told apart; leave one out, or take a longer window"
                )
            self._take(number, steps)

    def _take(self, number: int, steps: int) -> None:
        injection, examples = self.injections[number], steps * self.batch_size
        for example in injection.examples:
            if example >= examples:
                raise InputError(
                    f"injections: {injection.sequence!r} is planned for example {example:,}, but "
                    f"{steps:,} steps of {self.batch_size} reach only {examples:,}; train longer"
                )
            other = self._place.setdefault(example, number)
            if other != number:
                raise InputError(
                    f"injections: {self.injections[other].sequence!r} and {injection.sequence!r} both want "
                    f"example {example:,}; let one begin elsewhere"
                )

    def batch(self, stream: TokenStream, order: Order, step: int) -> Batch:
        """The batch of ``step``, from 0: a function of its arguments alone.

        What was planted is counted by content, not by what was meant to be planted.

        Raises:
            InputError: in this batch, the stream itself has one of the sequences, or a token that the model
                does not know.
        """
        first = step * self.batch_size
        tokens = stream.examples(order.take(first, self.batch_size), self._vocabulary)
        planned = np.array(
            [self._place.get(first + row, NOTHING) for row in range(self.batch_size)], np.int64
        )
        tokens[planned >= 0] = self._rows[planned[planned >= 0]]
        planted = np.array([self._known.get(row.tobytes(), NOTHING) for row in tokens], np.int64)
        if (stray := np.flatnonzero(planted != planned)).size:
            name = self.injections[planted[stray[0]]].sequence
            raise InputError(
                f"stream: example {first + stray[0]:,} is {name!r} itself, so its repetitions cannot be "
                "counted; leave that row or that injection out"
            )
        return Batch(tokens, planted)

    def until(self, step: int) -> NDArray[np.int64]:
        """How often each sequence [injections] is to have been planted after ``step`` steps."""
        end = step * self.batch_size
        return np.array([np.searchsorted(i.examples, end) for i in self.injections], np.int64)

    def densest(self) -> int:
        """The most planted examples of one batch."""
        steps = np.array(list(self._place), np.int64) // self.batch_size
        return int(np.unique(steps, return_counts=True)[1].max(initial=0))

    def digest(self) -> str:
        """Number of injections and places, and a hash of them with their tokens."""
        whole = hashlib.blake2b(digest_size=8)
        for injection, row in zip(self.injections, self._rows, strict=True):
            whole.update(
                injection.sequence.encode(errors="surrogatepass") + b"\0" + row.astype("<i8").tobytes()
            )
            whole.update(np.array([len(injection.examples), *injection.examples], "<i8").tobytes())
        return f"{len(self.injections)} sequences, {len(self._place)} places {whole.hexdigest()}"
