"""Ways to decide on a correction: by the channel alone, by scores of a language model, by what it writes."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.spelling.deciding.channel import Channel
    from pyfastlm.spelling.deciding.decider import Counts, Decider
    from pyfastlm.spelling.deciding.generation import Generation
    from pyfastlm.spelling.deciding.scoring import Scoring, Weights

__all__ = ["Channel", "Counts", "Decider", "Generation", "Scoring", "Weights"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "channel": ("Channel",),
        "decider": ("Counts", "Decider"),
        "generation": ("Generation",),
        "scoring": ("Scoring", "Weights"),
    },
)
