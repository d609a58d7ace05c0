"""What a training run writes down: means over the steps between two entries."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Logged:
    """Means over the steps since the entry before; ``step`` counts from 1.

    ``loss`` is the cross entropy alone, in nats for each target byte, ``bits_per_byte`` the same in bits;
    ``regularizer`` is its value before alpha weighs it (0 without; of a model that pools by boundaries, their
    loss), ``alpha`` its weight, ``deleted`` the fraction of the non-pad input that the gates deleted or would
    delete, or by which pooling made it shorter, ``lr`` the learning rate of the last step, ``seconds`` the
    wall time of training so far, all runs together.
    """

    step: int
    loss: float
    bits_per_byte: float
    regularizer: float
    alpha: float
    deleted: float
    lr: float
    seconds: float


@dataclass(slots=True)
class Sums:
    """What has come together since the last entry; float64."""

    batches: int = 0
    loss: float = 0.0
    regularizer: float = 0.0
    alpha: float = 0.0
    deleted: int = 0
    total: int = 0

    def add(self, loss: float, regularizer: float, alpha: float, deleted: int, total: int) -> None:
        """Note one micro-batch."""
        self.batches += 1
        self.loss += loss
        self.regularizer += regularizer
        self.alpha += alpha
        self.deleted += deleted
        self.total += total

    def entry(self, step: int, lr: float, seconds: float) -> Logged:
        """The means, as one entry."""
        loss = self.loss / self.batches
        return Logged(
            step=step,
            loss=loss,
            bits_per_byte=loss / math.log(2),
            regularizer=self.regularizer / self.batches,
            alpha=self.alpha / self.batches,
            deleted=self.deleted / self.total,
            lr=lr,
            seconds=seconds,
        )
