"""Scores of all replicates of a bootstrap: in memory, or in a file without a name where they are too many."""

import tempfile
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pyfastlm.selection.bootstrapping import percentiles
from pyfastlm.selection.closed_forms import Doubles

MEMORY = 1 << 28


class Samples:
    """[R, D], filled row by row and read by columns; a context, which lets go of the file."""

    def __init__(self, replicates: int, domains: int, memory: int = MEMORY) -> None:
        self._shape = (replicates, domains)
        self._file: IO[bytes] | None = None
        if 8 * replicates * domains > memory:
            self._file = tempfile.TemporaryFile(prefix="pyfastlm-")  # noqa: SIM115
        self._rows = np.empty((0 if self._file else replicates, domains))
        self._columns = max(memory // (32 * max(replicates, 1)), 1)  # a sort needs several times the block

    def __enter__(self) -> "Samples":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def put(self, row: int, values: Doubles) -> None:
        """The scores [D] of one replicate; rows come in order."""
        if self._file:
            self._file.write(values.tobytes())
        else:
            self._rows[row] = values

    def percentiles(self, level: float) -> tuple[Doubles, Doubles, NDArray[np.intp]]:
        """Low and high end of the interval, and how many replicates had a number; each [D]."""
        replicates, domains = self._shape
        if not replicates:
            return np.full(domains, np.nan), np.full(domains, np.nan), np.zeros(domains, np.intp)
        parts = [
            percentiles(self._block(start, min(start + self._columns, domains)), level)
            for start in range(0, domains, self._columns)
        ]
        low, high, found = zip(*parts, strict=True)
        return np.concatenate(low), np.concatenate(high), np.concatenate(found)

    def _block(self, start: int, end: int) -> Doubles:
        if not self._file:
            return self._rows[:, start:end]
        block = np.empty((self._shape[0], end - start))
        for row in range(self._shape[0]):
            self._file.seek(8 * (row * self._shape[1] + start))
            block[row] = np.frombuffer(self._file.read(8 * (end - start)))
        return block
