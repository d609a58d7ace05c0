"""MrT5 (Kallini et al., 2024): a byte-level T5 whose encoder learns which bytes it can delete.

A *delete gate* after the first encoder blocks scores every byte. In training low scores weigh on attention
(soft deletion); in use the rows are removed (hard deletion), so that everything behind the gate is shorter.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.mrt5.config import MrT5Config
    from pyfastlm.mrt5.controller import DeletionController
    from pyfastlm.mrt5.corruption import SpanCorruption
    from pyfastlm.mrt5.evaluation import evaluate
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration
    from pyfastlm.mrt5.training import train

__all__ = [
    "DeletionController",
    "MrT5Config",
    "MrT5ForConditionalGeneration",
    "SpanCorruption",
    "evaluate",
    "train",
]

_HOME = {
    "DeletionController": "controller",
    "MrT5Config": "config",
    "MrT5ForConditionalGeneration": "model",
    "SpanCorruption": "corruption",
    "evaluate": "evaluation",
    "train": "training",
}


def __getattr__(name: str) -> object:
    # Late, because torch and transformers take seconds.
    if name in _HOME:
        return getattr(importlib.import_module(f"pyfastlm.mrt5.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pyfastlm.mrt5' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
