"""Errors of models on benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkErrors:
    """Errors of N models on K benchmarks: the greater, the worse.

    Attributes:
        models: N names, each once.
        families: N names; models of one family are not independent of each other.
        benchmarks: K names, each once.
        values: [N, K] float64; NaN where a model has no number.
    """

    models: tuple[str, ...]
    families: tuple[str, ...]
    benchmarks: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        for what in ("models", "benchmarks"):
            names = getattr(self, what)
            if twice := [name for row, name in enumerate(names) if name in names[:row]]:
                raise InputError(f"{what}: expected each once, got {twice[0]!r} twice")
        if len(self.families) != len(self.models):
            raise InputError(
                f"families: expected one for each of {len(self.models)} models, got {len(self.families)}"
            )
        if self.values.shape != (len(self.models), len(self.benchmarks)):
            raise InputError(
                f"values: expected [{len(self.models)}, {len(self.benchmarks)}], models and benchmarks, "
                f"got {list(self.values.shape)}"
            )

    def only(self, models: Sequence[str]) -> "BenchmarkErrors":
        """These models in this order.

        Raises:
            InputError: one of them is not in the table.
        """
        place = {name: row for row, name in enumerate(self.models)}
        if unknown := [name for name in models if name not in place]:
            raise InputError(f"models: {unknown[0]!r} has no errors")
        rows = [place[name] for name in models]
        return BenchmarkErrors(
            tuple(models), tuple(self.families[row] for row in rows), self.benchmarks, self.values[rows]
        )
