"""Preference pairs by minimal revision (CLAIR), and anchored optimisation on them (APO)."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.preference.asking import Completion, EndpointReviser, HFReviser, sample_answers
    from pyfastlm.preference.builders import (
        Built,
        ChoiceJudge,
        Judged,
        LikelihoodJudge,
        Reason,
        judged_pairs,
        on_policy_pairs,
        stronger_preferred,
    )
    from pyfastlm.preference.contrast.report import contrast_report
    from pyfastlm.preference.drift import Drift, Watch
    from pyfastlm.preference.logps import sequence_logps
    from pyfastlm.preference.losses import apo_loss, apo_unpaired_loss, dpo_loss, ipo_loss, kto_loss
    from pyfastlm.preference.objectives import Metrics
    from pyfastlm.preference.options import TrainingOptions
    from pyfastlm.preference.pairs import PreferencePair
    from pyfastlm.preference.policy import PairLogps
    from pyfastlm.preference.references import References, precompute
    from pyfastlm.preference.revising import Proofreader, RevisionPrompt
    from pyfastlm.preference.revising.pairing import clair
    from pyfastlm.preference.suggesting import Suggestion, suggest_objective
    from pyfastlm.preference.trainer import APOTrainer
    from pyfastlm.preference.training import Trained, train

__all__ = [
    "APOTrainer",
    "Built",
    "ChoiceJudge",
    "Completion",
    "Drift",
    "EndpointReviser",
    "HFReviser",
    "Judged",
    "LikelihoodJudge",
    "Metrics",
    "PairLogps",
    "PreferencePair",
    "Proofreader",
    "Reason",
    "References",
    "RevisionPrompt",
    "Suggestion",
    "Trained",
    "TrainingOptions",
    "Watch",
    "apo_loss",
    "apo_unpaired_loss",
    "clair",
    "contrast_report",
    "dpo_loss",
    "ipo_loss",
    "judged_pairs",
    "kto_loss",
    "on_policy_pairs",
    "precompute",
    "sample_answers",
    "sequence_logps",
    "stronger_preferred",
    "suggest_objective",
    "train",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "asking": ("Completion", "EndpointReviser", "HFReviser", "sample_answers"),
        "builders": (
            "Built",
            "ChoiceJudge",
            "Judged",
            "LikelihoodJudge",
            "Reason",
            "judged_pairs",
            "on_policy_pairs",
            "stronger_preferred",
        ),
        "contrast.report": ("contrast_report",),
        "drift": ("Drift", "Watch"),
        "logps": ("sequence_logps",),
        "losses": ("apo_loss", "apo_unpaired_loss", "dpo_loss", "ipo_loss", "kto_loss"),
        "objectives": ("Metrics",),
        "options": ("TrainingOptions",),
        "pairs": ("PreferencePair",),
        "policy": ("PairLogps",),
        "references": ("References", "precompute"),
        "revising": ("Proofreader", "RevisionPrompt"),
        "revising.pairing": ("clair",),
        "suggesting": ("Suggestion", "suggest_objective"),
        "trainer": ("APOTrainer",),
        "training": ("Trained", "train"),
    },
)
