"""Anchored preference optimisation: losses, log-probabilities of answers, training on pairs of them."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.logps import sequence_logps
    from pyfastlm.preference.losses import apo_loss, apo_unpaired_loss, dpo_loss, ipo_loss, kto_loss
    from pyfastlm.preference.pairs import PreferencePair
    from pyfastlm.preference.policy import PairLogps

__all__ = [
    "PairLogps",
    "PreferencePair",
    "apo_loss",
    "apo_unpaired_loss",
    "dpo_loss",
    "ipo_loss",
    "kto_loss",
    "sequence_logps",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "logps": ("sequence_logps",),
        "losses": ("apo_loss", "apo_unpaired_loss", "dpo_loss", "ipo_loss", "kto_loss"),
        "pairs": ("PreferencePair",),
        "policy": ("PairLogps",),
    },
)
