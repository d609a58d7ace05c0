"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.metric.extraction import (
        Extractable,
        ExtractionProbability,
        extractable,
        extraction_probability,
    )
    from pyfastlm.memorization.metric.lengths import LengthRow, VerbatimLengths
    from pyfastlm.memorization.metric.measuring import verbatim_lengths

__all__ = [
    "Extractable",
    "ExtractionProbability",
    "LengthRow",
    "VerbatimLengths",
    "extractable",
    "extraction_probability",
    "verbatim_lengths",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "metric.extraction": (
            "Extractable",
            "ExtractionProbability",
            "extractable",
            "extraction_probability",
        ),
        "metric.lengths": ("LengthRow", "VerbatimLengths"),
        "metric.measuring": ("verbatim_lengths",),
    },
)
