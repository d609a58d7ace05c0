"""Bayesian scaling laws of in-context learning: six laws, their fits, and curves to fit them to."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.icl.comparison import Comparison, compare
    from pyfastlm.icl.curves.measuring import Curve, icl_curve
    from pyfastlm.icl.curves.reading import read_task
    from pyfastlm.icl.curves.task import Example, Task
    from pyfastlm.icl.fitted import Fit
    from pyfastlm.icl.fitting.fitting import fit, fit_many
    from pyfastlm.icl.ginc.documents import Documents, documents
    from pyfastlm.icl.ginc.oracle import Beliefs, beliefs
    from pyfastlm.icl.ginc.prompts import Prompts, mixed_prompts, prompts, shuffled_prompts
    from pyfastlm.icl.ginc.world import GINC
    from pyfastlm.icl.intervals import Intervals, bootstrap
    from pyfastlm.icl.laws import LAWS, Law
    from pyfastlm.icl.params import Bayesian, BoundedPower, Logistic, Power
    from pyfastlm.icl.profiles import Profile, profile
    from pyfastlm.icl.suppression import Suppression, suppress
    from pyfastlm.icl.training.measuring import Answers, GINCCurves, answered, ginc_curves
    from pyfastlm.icl.training.options import TrainingOptions
    from pyfastlm.icl.training.shape import Shape
    from pyfastlm.icl.training.training import Trained, Tuned, dpo, sft, train_ginc

__all__ = [
    "GINC",
    "LAWS",
    "Answers",
    "Bayesian",
    "Beliefs",
    "BoundedPower",
    "Comparison",
    "Curve",
    "Documents",
    "Example",
    "Fit",
    "GINCCurves",
    "Intervals",
    "Law",
    "Logistic",
    "Power",
    "Profile",
    "Prompts",
    "Shape",
    "Suppression",
    "Task",
    "Trained",
    "TrainingOptions",
    "Tuned",
    "answered",
    "beliefs",
    "bootstrap",
    "compare",
    "documents",
    "dpo",
    "fit",
    "fit_many",
    "ginc_curves",
    "icl_curve",
    "mixed_prompts",
    "profile",
    "prompts",
    "read_task",
    "sft",
    "shuffled_prompts",
    "suppress",
    "train_ginc",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "comparison": ("Comparison", "compare"),
        "curves.measuring": ("Curve", "icl_curve"),
        "curves.reading": ("read_task",),
        "curves.task": ("Example", "Task"),
        "fitted": ("Fit",),
        "fitting.fitting": ("fit", "fit_many"),
        "ginc.documents": ("Documents", "documents"),
        "ginc.oracle": ("Beliefs", "beliefs"),
        "ginc.prompts": ("Prompts", "mixed_prompts", "prompts", "shuffled_prompts"),
        "ginc.world": ("GINC",),
        "intervals": ("Intervals", "bootstrap"),
        "laws": ("LAWS", "Law"),
        "params": ("Bayesian", "BoundedPower", "Logistic", "Power"),
        "profiles": ("Profile", "profile"),
        "suppression": ("Suppression", "suppress"),
        "training.measuring": ("Answers", "GINCCurves", "answered", "ginc_curves"),
        "training.options": ("TrainingOptions",),
        "training.shape": ("Shape",),
        "training.training": ("Trained", "Tuned", "dpo", "sft", "train_ginc"),
    },
)
