"""What language models have memorised word for word: measured, planted, traced, and unlearned."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.memorization.injection.injection import Injection, scheduled
    from pyfastlm.memorization.injection.result import Continued, Planted
    from pyfastlm.memorization.injection.stream import TokenStream
    from pyfastlm.memorization.injection.training import continue_pretraining
    from pyfastlm.memorization.sequences import NamedSequence, read_sequences

__all__ = [
    "Continued",
    "Injection",
    "NamedSequence",
    "Planted",
    "TokenStream",
    "continue_pretraining",
    "read_sequences",
    "scheduled",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "injection.injection": ("Injection", "scheduled"),
        "injection.result": ("Continued", "Planted"),
        "injection.stream": ("TokenStream",),
        "injection.training": ("continue_pretraining",),
        "sequences": ("NamedSequence", "read_sequences"),
    },
)
