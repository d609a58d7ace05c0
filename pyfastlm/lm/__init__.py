"""Everything about a causal language model that several systems need: loading, scoring, prefix reuse."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LM, as_lm, load
    from pyfastlm.lm.ngram import NgramModel
    from pyfastlm.lm.precision import PrecisionReport, compare_precisions
    from pyfastlm.lm.scorer import Scorer
    from pyfastlm.lm.scores import PairScore, TextScore, TokenScores

__all__ = [
    "LM",
    "NgramModel",
    "PairScore",
    "PrecisionReport",
    "Scorer",
    "TextScore",
    "TokenScores",
    "as_lm",
    "compare_precisions",
    "load",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "loading": ("LM", "as_lm", "load"),
        "ngram": ("NgramModel",),
        "precision": ("PrecisionReport", "compare_precisions"),
        "scorer": ("Scorer",),
        "scores": ("PairScore", "TextScore", "TokenScores"),
    },
)
