"""CLAIR: chosen answers that are minimal revisions of what the model itself wrote."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.revising.pairing import clair
    from pyfastlm.preference.revising.parsing import Refusal, Revision, parse
    from pyfastlm.preference.revising.prompt import RevisionPrompt
    from pyfastlm.preference.revising.proofreading import Proofreader

__all__ = ["Proofreader", "Refusal", "Revision", "RevisionPrompt", "clair", "parse"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "parsing": ("Refusal", "Revision", "parse"),
        "prompt": ("RevisionPrompt",),
        "proofreading": ("Proofreader",),
        "pairing": ("clair",),
    },
)
