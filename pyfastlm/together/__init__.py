"""Programs of language model calls, whose prompts and weights are optimised in turn (BetterTogether)."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.together.answers import Answer, Call, Usage
    from pyfastlm.together.engine import HFEngine
    from pyfastlm.together.provider import InProcessProvider
    from pyfastlm.together.saved_programs import load_program, save_program
    from pyfastlm.together.segments import Choice, Forced, Free, Shaped
    from pyfastlm.together.strategies import Budget, Grid, read_grid, run_strategies
    from pyfastlm.together.student_lm import on_student_lm
    from pyfastlm.together.training import Tuned, tune
    from pyfastlm.together.tuning_options import TuningOptions
    from pyfastlm.together.weights import Weights

__all__ = [
    "Answer",
    "Budget",
    "Call",
    "Choice",
    "Forced",
    "Free",
    "Grid",
    "HFEngine",
    "InProcessProvider",
    "Shaped",
    "Tuned",
    "TuningOptions",
    "Usage",
    "Weights",
    "load_program",
    "on_student_lm",
    "read_grid",
    "run_strategies",
    "save_program",
    "tune",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "answers": ("Answer", "Call", "Usage"),
        "engine": ("HFEngine",),
        "provider": ("InProcessProvider",),
        "saved_programs": ("load_program", "save_program"),
        "segments": ("Choice", "Forced", "Free", "Shaped"),
        "strategies": ("Budget", "Grid", "read_grid", "run_strategies"),
        "student_lm": ("on_student_lm",),
        "training": ("Tuned", "tune"),
        "tuning_options": ("TuningOptions",),
        "weights": ("Weights",),
    },
)
