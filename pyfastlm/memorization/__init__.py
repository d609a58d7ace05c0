"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.tracing.result import Trace
    from pyfastlm.memorization.tracing.tracing import trace

__all__ = ["Trace", "trace"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "tracing.result": ("Trace",),
        "tracing.tracing": ("trace",),
    },
)
