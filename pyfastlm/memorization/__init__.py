"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.corpus.index import CorpusIndex
    from pyfastlm.memorization.corpus.reading import read_corpus
    from pyfastlm.memorization.corpus.results import Continuations, Longest, Positions, Repeated
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
    from pyfastlm.memorization.stress.report import StressReport
    from pyfastlm.memorization.stress.similar_words import read_similar_words
    from pyfastlm.memorization.stress.testing import stress_again, stress_test
    from pyfastlm.memorization.tracing.result import Trace
    from pyfastlm.memorization.tracing.tracing import trace
    from pyfastlm.memorization.unlearning.result import Unlearned, UnlearningStep
    from pyfastlm.memorization.unlearning.unlearning import unlearn

__all__ = [
    "Continuations",
    "Continued",
    "CorpusIndex",
    "Extractable",
    "ExtractionProbability",
    "Injection",
    "LengthRow",
    "Longest",
    "MeasureReport",
    "NamedSequence",
    "Planted",
    "Positions",
    "Repeated",
    "StressReport",
    "TokenStream",
    "Trace",
    "Unlearned",
    "UnlearningStep",
    "VerbatimLengths",
    "continue_pretraining",
    "extractable",
    "extraction_probability",
    "measure_files",
    "read_corpus",
    "read_sequences",
    "read_similar_words",
    "scheduled",
    "stress_again",
    "stress_test",
    "trace",
    "unlearn",
    "verbatim_lengths",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "corpus.index": ("CorpusIndex",),
        "corpus.reading": ("read_corpus",),
        "corpus.results": ("Continuations", "Longest", "Positions", "Repeated"),
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
        "stress.report": ("StressReport",),
        "stress.similar_words": ("read_similar_words",),
        "stress.testing": ("stress_again", "stress_test"),
        "tracing.result": ("Trace",),
        "tracing.tracing": ("trace",),
        "unlearning.result": ("Unlearned", "UnlearningStep"),
        "unlearning.unlearning": ("unlearn",),
    },
)
