"""Builders of preference pairs: what they take, what they return, and those that CLAIR is compared with."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.builders.judges import ChoiceJudge, LikelihoodJudge
    from pyfastlm.preference.builders.judging import Judge, Judged, judged_pairs, on_policy_pairs
    from pyfastlm.preference.builders.outcome import Built, Outcome, Reason, Yield
    from pyfastlm.preference.builders.rows import Row, TwoAnswers
    from pyfastlm.preference.builders.stronger import stronger_preferred

__all__ = [
    "Built",
    "ChoiceJudge",
    "Judge",
    "Judged",
    "LikelihoodJudge",
    "Outcome",
    "Reason",
    "Row",
    "TwoAnswers",
    "Yield",
    "judged_pairs",
    "on_policy_pairs",
    "stronger_preferred",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "judges": ("ChoiceJudge", "LikelihoodJudge"),
        "judging": ("Judge", "Judged", "judged_pairs", "on_policy_pairs"),
        "outcome": ("Built", "Outcome", "Reason", "Yield"),
        "rows": ("Row", "TwoAnswers"),
        "stronger": ("stronger_preferred",),
    },
)
