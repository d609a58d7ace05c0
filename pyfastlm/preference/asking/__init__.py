"""Who writes answers and revisions, how they are asked, and where what they wrote is kept."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.asking.batches import ask
    from pyfastlm.preference.asking.completion import Completion, Reviser, Writer
    from pyfastlm.preference.asking.endpoint import EndpointReviser
    from pyfastlm.preference.asking.local import HFReviser
    from pyfastlm.preference.asking.sampled import sample_answers

__all__ = ["Completion", "EndpointReviser", "HFReviser", "Reviser", "Writer", "ask", "sample_answers"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "batches": ("ask",),
        "completion": ("Completion", "Reviser", "Writer"),
        "endpoint": ("EndpointReviser",),
        "local": ("HFReviser",),
        "sampled": ("sample_answers",),
    },
)
