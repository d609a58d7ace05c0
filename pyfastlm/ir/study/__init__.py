"""Whether the gold score of a prompt says anything of its test score: all prompts, measured on both."""

from pyfastlm.ir.study.budget import Budget
from pyfastlm.ir.study.correlation import Correlation, spearman
from pyfastlm.ir.study.files import read_study, write_study
from pyfastlm.ir.study.records import Measured, Study
from pyfastlm.ir.study.running import run_study

__all__ = [
    "Budget",
    "Correlation",
    "Measured",
    "Study",
    "read_study",
    "run_study",
    "spearman",
    "write_study",
]
