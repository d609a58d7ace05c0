"""Anchored preference optimisation: losses, log-probabilities of answers, training on pairs of them."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.pairs import PreferencePair

__all__ = ["PreferencePair"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "pairs": ("PreferencePair",),
    },
)
