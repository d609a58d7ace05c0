"""PATH: prompts are searched by the quality of the reranker that their queries train."""

from pyfastlm.ir.path.grammar import SLOTS, Grammar
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.path.proposing import PromptScores, prompt_program
from pyfastlm.ir.path.search import PromptSearch, Rung, optimize_prompt
from pyfastlm.ir.path.trials import Trial, trial_log

__all__ = [
    "SLOTS",
    "Grammar",
    "Objective",
    "PromptScores",
    "PromptSearch",
    "Rung",
    "SearchOptions",
    "Trial",
    "optimize_prompt",
    "prompt_program",
    "trial_log",
]
