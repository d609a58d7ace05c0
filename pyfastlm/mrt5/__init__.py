"""MrT5 (Kallini et al., 2024): a byte-level T5 whose encoder learns which bytes it can delete.

A *delete gate* after the first encoder blocks scores every byte. In training low scores weigh on attention
(soft deletion); in use the rows are removed (hard deletion), so that everything behind the gate is shorter.
"""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.mrt5.config import MrT5Config
    from pyfastlm.mrt5.controller import DeletionController
    from pyfastlm.mrt5.corruption import SpanCorruption
    from pyfastlm.mrt5.evaluation import evaluate
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration
    from pyfastlm.mrt5.quantization import int8
    from pyfastlm.mrt5.training import train

__all__ = [
    "DeletionController",
    "MrT5Config",
    "MrT5ForConditionalGeneration",
    "SpanCorruption",
    "evaluate",
    "int8",
    "train",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "config": ("MrT5Config",),
        "controller": ("DeletionController",),
        "corruption": ("SpanCorruption",),
        "evaluation": ("evaluate",),
        "model": ("MrT5ForConditionalGeneration",),
        "quantization": ("int8",),
        "training": ("train",),
    },
)
