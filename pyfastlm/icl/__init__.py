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
    from pyfastlm.icl.ginc.oracle import Beliefs, beliefs
    from pyfastlm.icl.ginc.prompts import Prompts, prompts
    from pyfastlm.icl.ginc.world import GINC
    from pyfastlm.icl.intervals import Intervals, bootstrap
    from pyfastlm.icl.laws import LAWS, Law
    from pyfastlm.icl.params import Bayesian, BoundedPower, Logistic, Power
    from pyfastlm.icl.profiles import Profile, profile

__all__ = [
    "GINC",
    "LAWS",
    "Bayesian",
    "Beliefs",
    "BoundedPower",
    "Comparison",
    "Curve",
    "Example",
    "Fit",
    "Intervals",
    "Law",
    "Logistic",
    "Power",
    "Profile",
    "Prompts",
    "Task",
    "beliefs",
    "bootstrap",
    "compare",
    "fit",
    "fit_many",
    "icl_curve",
    "profile",
    "prompts",
    "read_task",
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
        "ginc.oracle": ("Beliefs", "beliefs"),
        "ginc.prompts": ("Prompts", "prompts"),
        "ginc.world": ("GINC",),
        "intervals": ("Intervals", "bootstrap"),
        "laws": ("LAWS", "Law"),
        "params": ("Bayesian", "BoundedPower", "Logistic", "Power"),
        "profiles": ("Profile", "profile"),
    },
)
