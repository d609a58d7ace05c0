"""Anchored preference optimisation: losses, log-probabilities of answers, training on pairs of them."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.drift import Drift, Watch
    from pyfastlm.preference.logps import sequence_logps
    from pyfastlm.preference.losses import apo_loss, apo_unpaired_loss, dpo_loss, ipo_loss, kto_loss
    from pyfastlm.preference.objectives import Metrics
    from pyfastlm.preference.options import TrainingOptions
    from pyfastlm.preference.pairs import PreferencePair
    from pyfastlm.preference.policy import PairLogps
    from pyfastlm.preference.references import References, precompute
    from pyfastlm.preference.training import Trained, train

__all__ = [
    "Drift",
    "Metrics",
    "PairLogps",
    "PreferencePair",
    "References",
    "Trained",
    "TrainingOptions",
    "Watch",
    "apo_loss",
    "apo_unpaired_loss",
    "dpo_loss",
    "ipo_loss",
    "kto_loss",
    "precompute",
    "sequence_logps",
    "train",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "drift": ("Drift", "Watch"),
        "logps": ("sequence_logps",),
        "losses": ("apo_loss", "apo_unpaired_loss", "dpo_loss", "ipo_loss", "kto_loss"),
        "objectives": ("Metrics",),
        "options": ("TrainingOptions",),
        "pairs": ("PreferencePair",),
        "policy": ("PairLogps",),
        "references": ("References", "precompute"),
        "training": ("Trained", "train"),
    },
)
