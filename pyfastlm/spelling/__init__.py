"""Spelling correction that knows the catalogue: misspellings are fixed, new names are left alone."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.spelling.context.bm25 import BM25
    from pyfastlm.spelling.context.dense import Dense
    from pyfastlm.spelling.context.fuzzy import Fuzzy
    from pyfastlm.spelling.context.hybrid import Hybrid
    from pyfastlm.spelling.correction import Candidate, Correction
    from pyfastlm.spelling.deciding.channel import Channel
    from pyfastlm.spelling.deciding.generation import Generation
    from pyfastlm.spelling.deciding.scoring import Scoring
    from pyfastlm.spelling.finetuning import finetune
    from pyfastlm.spelling.gate import threshold_for_rate
    from pyfastlm.spelling.rows import TrainingRow, training_rows

__all__ = [
    "BM25",
    "Candidate",
    "Channel",
    "Correction",
    "Dense",
    "Fuzzy",
    "Generation",
    "Hybrid",
    "Scoring",
    "TrainingRow",
    "finetune",
    "threshold_for_rate",
    "training_rows",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "context.bm25": ("BM25",),
        "context.dense": ("Dense",),
        "context.fuzzy": ("Fuzzy",),
        "context.hybrid": ("Hybrid",),
        "correction": ("Candidate", "Correction"),
        "deciding.channel": ("Channel",),
        "deciding.generation": ("Generation",),
        "deciding.scoring": ("Scoring",),
        "finetuning": ("finetune",),
        "gate": ("threshold_for_rate",),
        "rows": ("TrainingRow", "training_rows"),
    },
)
