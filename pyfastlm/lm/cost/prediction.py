"""From work and rates to seconds."""

from dataclasses import dataclass

from pyfastlm.lm.cost.rates import Rates
from pyfastlm.lm.cost.texts import TextWork
from pyfastlm.lm.cost.work import ModelWork


@dataclass(frozen=True)
class Prediction:
    """Seconds of one worker's processor for some texts, by what they are spent on.

    Attributes:
        products: of the layers.
        rows: rounding, in int8.
        attention, rest, head: see :class:`Rates`.
        tokens: scored.
    """

    products: float
    rows: float
    attention: float
    rest: float
    head: float
    tokens: float

    @property
    def seconds(self) -> float:
        """All together."""
        return self.products + self.rows + self.attention + self.rest + self.head

    @property
    def tokens_per_second(self) -> float:
        """Scored tokens in a second."""
        return self.tokens / self.seconds


def predict(work: ModelWork, rates: Rates, texts: TextWork) -> Prediction:
    """What scoring these texts takes on the machine that the rates are of; loading the model is not in it."""
    each = dict(rates.products)
    return Prediction(
        products=texts.read * sum(count * each[shape] for shape, count in work.products),
        rows=texts.read * work.layers * rates.rows,
        attention=work.layers * (texts.read * rates.token + texts.pairs * rates.pair),
        rest=texts.read * work.layers * rates.rest,
        head=texts.tokens * rates.head,
        tokens=texts.tokens,
    )


def bound(
    work: ModelWork, texts: TextWork, *, flops: float, bandwidth: float, tokens_per_batch: int = 16384
) -> float:
    """Seconds that scoring these texts takes at least on a device of which only the data sheet is known.

    Args:
        work, texts: as for :func:`predict`.
        flops: operations a second of its products in the model's dtype; a product and a sum are two.
        bandwidth: bytes a second of its memory.
        tokens_per_batch: for which the weights are read once. Nothing else is counted as memory traffic.

    What is reached of it is not known without such a device: a half is common for large products.
    """
    macs = texts.read * work.trunk_macs + texts.pairs * work.pair_macs + texts.tokens * work.head_macs
    moved = texts.read / tokens_per_batch * work.weight_bytes
    return max(2 * macs / flops, moved / bandwidth)
