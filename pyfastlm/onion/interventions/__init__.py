"""Edits of a state that repair corrupted sequences: linear subspaces of one or two places, and the onion."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.interventions.base import Intervention, Plan
    from pyfastlm.onion.interventions.corruption import Corrupted, corrupt, replace_one, swap
    from pyfastlm.onion.interventions.files import load_intervention, save_intervention
    from pyfastlm.onion.interventions.fitting import Fitted, fit_intervention
    from pyfastlm.onion.interventions.linear import LinearBigram, LinearUnigram
    from pyfastlm.onion.interventions.onion import Onion

__all__ = [
    "Corrupted",
    "Fitted",
    "Intervention",
    "LinearBigram",
    "LinearUnigram",
    "Onion",
    "Plan",
    "corrupt",
    "fit_intervention",
    "load_intervention",
    "replace_one",
    "save_intervention",
    "swap",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "base": ("Intervention", "Plan"),
        "corruption": ("Corrupted", "corrupt", "replace_one", "swap"),
        "files": ("load_intervention", "save_intervention"),
        "fitting": ("Fitted", "fit_intervention"),
        "linear": ("LinearBigram", "LinearUnigram"),
        "onion": ("Onion",),
    },
)
