"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.metric.lengths import LengthRow, VerbatimLengths
    from pyfastlm.memorization.metric.measuring import verbatim_lengths
    from pyfastlm.memorization.tracing.result import Trace
    from pyfastlm.memorization.tracing.tracing import trace

__all__ = ["LengthRow", "Trace", "VerbatimLengths", "trace", "verbatim_lengths"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "metric.lengths": ("LengthRow", "VerbatimLengths"),
        "metric.measuring": ("verbatim_lengths",),
        "tracing.result": ("Trace",),
        "tracing.tracing": ("trace",),
    },
)
