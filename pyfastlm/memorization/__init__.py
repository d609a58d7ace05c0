"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.injection.injection import Injection, scheduled
    from pyfastlm.memorization.injection.result import Continued, Planted
    from pyfastlm.memorization.injection.stream import TokenStream
    from pyfastlm.memorization.injection.training import continue_pretraining
    from pyfastlm.memorization.metric.extraction import (
        Extractable,
        ExtractionProbability,
        extractable,
        extraction_probability,
    )
    from pyfastlm.memorization.metric.files import MeasureReport, measure_files
    from pyfastlm.memorization.metric.lengths import LengthRow, VerbatimLengths
    from pyfastlm.memorization.metric.measuring import verbatim_lengths
    from pyfastlm.memorization.sequences import NamedSequence, read_sequences

__all__ = [
    "Continued",
    "Extractable",
    "ExtractionProbability",
    "Injection",
    "LengthRow",
    "MeasureReport",
    "NamedSequence",
    "Planted",
    "TokenStream",
    "VerbatimLengths",
    "continue_pretraining",
    "extractable",
    "extraction_probability",
    "measure_files",
    "read_sequences",
    "scheduled",
    "verbatim_lengths",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "injection.injection": ("Injection", "scheduled"),
        "injection.result": ("Continued", "Planted"),
        "injection.stream": ("TokenStream",),
        "injection.training": ("continue_pretraining",),
        "metric.extraction": (
            "Extractable",
            "ExtractionProbability",
            "extractable",
            "extraction_probability",
        ),
        "metric.files": ("MeasureReport", "measure_files"),
        "metric.lengths": ("LengthRow", "VerbatimLengths"),
        "metric.measuring": ("verbatim_lengths",),
        "sequences": ("NamedSequence", "read_sequences"),
    },
)
