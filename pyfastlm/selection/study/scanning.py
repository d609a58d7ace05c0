"""One pass over a matrix before anything is estimated: gaps, infinities, models that are the same."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.inputs import floats
from pyfastlm.selection.study.joining import Table


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a pass over N models and D domains found.

    Attributes:
        gaps: [N] int64, for how many domains a model has none.
        first_gap: [N] int64, the first such domain, -1 for none.
        digests: N, equal where two models have equal bits per byte on every domain; empty where a model has
            none at all.
    """

    gaps: NDArray[np.int64]
    first_gap: NDArray[np.int64]
    digests: tuple[bytes, ...]

    def only(self, rows: NDArray[np.intp]) -> "Scan":
        """Of the models in these rows."""
        return Scan(self.gaps[rows], self.first_gap[rows], tuple(self.digests[row] for row in rows))


def scan(table: Table) -> Scan:
    """Go through the matrix once.

    Raises:
        InputError: a number is infinite; or the matrix has another number of domains than it says.
    """
    count = len(table.models)
    hashes = [hashlib.blake2b(digest_size=16) for _ in range(count)]
    gaps = np.zeros(count, np.int64)
    first = np.full(count, -1, np.int64)
    done = 0
    for part in table.matrix.blocks():
        block = floats(part).astype(np.float64, copy=False) + 0.0  # -0 is 0
        if np.isinf(block).any():
            row, column = np.argwhere(np.isinf(block))[0]
            raise InputError(
                f"matrix: expected finite numbers, got {block[row, column]} for model {table.models[row]!r}, "
                f"domain {table.matrix.domains[done + column]!r}"
            )
        missing = np.isnan(block)
        block[missing] = np.nan  # one of the many
        for row, digest in zip(block, hashes, strict=True):
            digest.update(row.tobytes())
        found = missing.sum(axis=1)
        new = (gaps == 0) & (found > 0)
        first[new] = done + missing[new].argmax(axis=1)
        gaps += found
        done += block.shape[1]
    if done != len(table.matrix.domains):
        raise InputError(f"matrix: expected {len(table.matrix.domains)} domains, got {done}")
    digests = (b"" if gaps[row] == done else digest.digest() for row, digest in enumerate(hashes))
    return Scan(gaps, first, tuple(digests))
