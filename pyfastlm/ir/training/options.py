"""How a reranker is trained."""

import math
from dataclasses import dataclass
from typing import Literal

from pyfastlm.errors import InputError
from pyfastlm.ir.training.losses import LOSSES
from pyfastlm.lm.runner import positive

RESETS = ("classifier", "head", "all")


@dataclass(frozen=True)
class RerankerOptions:
    """Options of :func:`pyfastlm.ir.train_reranker`.

    The defaults were chosen on words of WordNet other than those of any gold or test queries, with the
    queries that 128 definitions gave (NDCG@10 of 24 to 60 words, one seed each: read them as large or small):
    many short steps are what counts. One epoch of 8 queries with 7 negatives each, .23; three epochs of 4
    with 3, .53; with the classifier ten times as fast, .57. Twice the rate, .39.

    Attributes:
        loss: ``"infonce"``, ``"ranknet"``, ``"listnet"`` or ``"lambdarank"``.
        learning_rate: the highest; it rises over the first ``warmup`` of the steps, then falls to 0.
        classifier_rate: how many times as fast the last layer learns, which begins at random.
        epochs: times that each example is seen.
        batch_size: examples (queries with all their documents) of a step.
        in_batch: documents of the other queries of a step that are further negatives of each, at most.
        warmup: share of the steps.
        weight_decay: of AdamW.
        temperature: scores are divided by it before the loss.
        max_length: tokens of query and document together.
        reset: which weights begin at random: the last layer, which encoders do not have anyway
            (``"classifier"``); the pooling layer before it too (``"head"``); or every weight (``"all"``), the
            control that shows what the encoder had learnt before.

    Raises:
        InputError, InputTypeError: an option is out of range.
    """

    loss: str = "infonce"
    learning_rate: float = 2e-4
    classifier_rate: float = 10.0
    epochs: int = 3
    batch_size: int = 4
    in_batch: int = 0
    warmup: float = 0.1
    weight_decay: float = 0.01
    temperature: float = 1.0
    max_length: int = 192
    reset: Literal["classifier", "head", "all"] = "classifier"

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InputError(f"loss: expected one of {', '.join(LOSSES)}; got {self.loss!r}")
        if self.reset not in RESETS:
            raise InputError(f"reset: expected one of {', '.join(RESETS)}; got {self.reset!r}")
        for name in ("epochs", "batch_size", "max_length"):
            positive(name, getattr(self, name))
        if self.in_batch < 0:
            raise InputError(f"in_batch: expected a whole number >= 0, got {self.in_batch}")
        for name in ("learning_rate", "classifier_rate", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a finite number > 0, got {getattr(self, name)}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup: expected a number in [0, 1), got {self.warmup}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected a finite number >= 0, got {self.weight_decay}")
