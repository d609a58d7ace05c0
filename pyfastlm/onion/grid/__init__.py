"""Copiers of several sizes, seeds and kinds, and what every intervention makes of each: runs that resume."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.grid.plan import KINDS, Cell, Condition, FitOptions, Plan
    from pyfastlm.onion.grid.rows import CellResult, FitResult, Row, read_cell
    from pyfastlm.onion.grid.running import estimate, run_grid

__all__ = [
    "KINDS",
    "Cell",
    "CellResult",
    "Condition",
    "FitOptions",
    "FitResult",
    "Plan",
    "Row",
    "estimate",
    "read_cell",
    "run_grid",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "plan": ("KINDS", "Cell", "Condition", "FitOptions", "Plan"),
        "rows": ("CellResult", "FitResult", "Row", "read_cell"),
        "running": ("estimate", "run_grid"),
    },
)
