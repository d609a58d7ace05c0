"""Everything about a causal language model that several systems need: loading, scoring, prefix reuse."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LM, as_lm, load
    from pyfastlm.lm.scorer import Scorer
    from pyfastlm.lm.scores import PairScore, TextScore, TokenScores

__all__ = ["LM", "PairScore", "Scorer", "TextScore", "TokenScores", "as_lm", "load"]

_HOME = {
    "LM": "loading",
    "PairScore": "scores",
    "Scorer": "scorer",
    "TextScore": "scores",
    "TokenScores": "scores",
    "as_lm": "loading",
    "load": "loading",
}


def __getattr__(name: str) -> object:
    # Late, because torch and transformers take seconds that `pyfastlm.lm.files.check` does not need.
    if name in _HOME:
        return getattr(importlib.import_module(f"pyfastlm.lm.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pyfastlm.lm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
