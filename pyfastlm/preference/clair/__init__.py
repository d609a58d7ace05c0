"""CLAIR: chosen answers that are minimal revisions of what the model itself wrote."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.clair.parsing import Refusal, Revision, parse
    from pyfastlm.preference.clair.prompt import RevisionPrompt
    from pyfastlm.preference.clair.revising import clair

__all__ = ["Refusal", "Revision", "RevisionPrompt", "clair", "parse"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "parsing": ("Refusal", "Revision", "parse"),
        "prompt": ("RevisionPrompt",),
        "revising": ("clair",),
    },
)
