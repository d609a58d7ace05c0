"""Strategies of prompt and weight optimisation under equal budgets, and what is told of them."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.together.strategies.calls import Cost
    from pyfastlm.together.strategies.grid import Grid, Line, read_grid
    from pyfastlm.together.strategies.plan import CONTROLS, STRATEGIES, Budget
    from pyfastlm.together.strategies.records import Cell, StepRecord
    from pyfastlm.together.strategies.running import run_strategies
    from pyfastlm.together.strategies.state import program_of
    from pyfastlm.together.strategies.statistics import Interval
    from pyfastlm.together.strategies.traces import Trace, read_traces

__all__ = [
    "CONTROLS",
    "STRATEGIES",
    "Budget",
    "Cell",
    "Cost",
    "Grid",
    "Interval",
    "Line",
    "StepRecord",
    "Trace",
    "program_of",
    "read_grid",
    "read_traces",
    "run_strategies",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "calls": ("Cost",),
        "grid": ("Grid", "Line", "read_grid"),
        "plan": ("CONTROLS", "STRATEGIES", "Budget"),
        "records": ("Cell", "StepRecord"),
        "running": ("run_strategies",),
        "state": ("program_of",),
        "statistics": ("Interval",),
        "traces": ("Trace", "read_traces"),
    },
)
