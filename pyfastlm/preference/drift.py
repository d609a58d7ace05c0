"""How far a model has gone from where it began: on pairs that it does not learn from, and on other texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM
from pyfastlm.lm.scorer import Scorer
from pyfastlm.preference.encoding import MAX_LENGTH, encode
from pyfastlm.preference.logps import longest, scored
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.policy import Policy


@dataclass(frozen=True, slots=True)
class Watch:
    """What a training is watched by.

    Attributes:
        pairs: of answers, none of which is learnt from.
        texts: that have nothing to do with the pairs; may be empty.
        every: steps between two measurements; the first is before the first step, the last after the last.
    """

    pairs: Sequence[PreferencePair]
    texts: Sequence[str] = ()
    every: int = 50

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"every: expected at least 1, got {self.every}")


@dataclass(frozen=True, slots=True)
class Drift:
    """Where a model is after ``step`` steps, against where it began.

    ``chosen`` and ``rejected`` are the mean changes of the log-probability of an answer, in nats; ``margin``
    is their difference. ``accuracy`` is the share of pairs whose chosen answer has gained more than its
    rejected one (0 before the first step), ``likelier`` the share whose chosen answer is the likelier one.
    ``bits_per_byte`` of the other texts, and its ``change``; both nan without texts.
    """

    step: int
    chosen: float
    rejected: float
    margin: float
    accuracy: float
    likelier: float
    bits_per_byte: float
    change: float


class Monitor:
    """Measures :class:`Drift` of ``model``, which is now where it begins."""

    def __init__(
        self, model: Any, tokenizer: Any, watch: Watch, *, max_length: int | None = MAX_LENGTH
    ) -> None:
        bare = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._lm = LM(bare, tokenizer, "watched")
        self._tokens = encode(tokenizer, watch.pairs, max_length=max_length)
        self._policy = Policy(model, longest(self._tokens))
        self._texts = [*watch.texts]
        self._start = scored(self._policy, self._tokens)
        self._bits = bits_per_byte(self._lm, self._texts)

    def measure(self, step: int) -> Drift:
        """The drift after ``step`` steps."""
        now = scored(self._policy, self._tokens)
        chosen, rejected = ((new - old).double() for new, old in zip(now, self._start, strict=True))
        bits = bits_per_byte(self._lm, self._texts)
        return Drift(
            step,
            float(chosen.mean()),
            float(rejected.mean()),
            float((chosen - rejected).mean()),
            float((chosen > rejected).double().mean()),
            float((now.chosen > now.rejected).double().mean()),
            bits,
            bits - self._bits,
        )


def bits_per_byte(lm: LM, texts: Sequence[str], *, progress: bool = False) -> float:
    """Of all texts together; nan without any."""
    if not texts:
        return float("nan")
    scores = Scorer(lm).rolling(texts, progress=progress)
    size = sum(score.n_bytes for score in scores)
    return sum(score.bits_per_byte * score.n_bytes for score in scores) / size
