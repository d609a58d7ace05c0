"""Copiers of several sizes, seeds and kinds, and what every intervention makes of each: runs that resume."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.onion.grid.plan import COMMON, KINDS, OWN, Cell, Condition, FitOptions, Plan
    from pyfastlm.onion.grid.rows import CellResult, FitResult, ModelResult, Row
    from pyfastlm.onion.grid.running import estimate, learned, read_grid, run_grid

__all__ = [
    "COMMON",
    "KINDS",
    "OWN",
    "Cell",
    "CellResult",
    "Condition",
    "FitOptions",
    "FitResult",
    "ModelResult",
    "Plan",
    "Row",
    "estimate",
    "learned",
    "read_grid",
    "run_grid",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "plan": ("COMMON", "KINDS", "OWN", "Cell", "Condition", "FitOptions", "Plan"),
        "rows": ("CellResult", "FitResult", "ModelResult", "Row"),
        "running": ("estimate", "learned", "read_grid", "run_grid"),
    },
)
