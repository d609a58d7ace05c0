"""Tasks of the grid: rows with a gold answer, programs that answer them, and disjoint splits by seed."""

from typing import TYPE_CHECKING

from pyfastlm._lazy import lazily

if TYPE_CHECKING:
    from pyfastlm.together.tasks.arithmetic import gsm8k
    from pyfastlm.together.tasks.closed_book import hotpot
    from pyfastlm.together.tasks.flowers import iris
    from pyfastlm.together.tasks.task import Reference, Row, Sizes, Splits, Task, draw
    from pyfastlm.together.tasks.two_hops import wordnet

__all__ = [
    "Reference",
    "Row",
    "Sizes",
    "Splits",
    "Task",
    "draw",
    "gsm8k",
    "hotpot",
    "iris",
    "wordnet",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "arithmetic": ("gsm8k",),
        "closed_book": ("hotpot",),
        "flowers": ("iris",),
        "task": ("Reference", "Row", "Sizes", "Splits", "Task", "draw"),
        "two_hops": ("wordnet",),
    },
)
