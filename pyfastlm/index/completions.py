"""The answers to many prefixes, as arrays."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pyfastlm import _native


@dataclass(frozen=True, slots=True)
class Completions:
    """Of ``n`` prefixes, the best ``k`` terms each.

    Attributes:
        ids: [n, k] int32, -1 where a prefix has fewer terms. They are ranks of the file (0 is its best term),
            and numbers beyond those for terms that were changed since.
        scores: [n, k] float32, minus infinity where there is no term.
        exact: [n] bool, False where a conjunctive search read as much as it may: terms may be missing then.
    """

    ids: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    exact: npt.NDArray[np.bool_]
    _others: list[str] = field(repr=False)
    _file: _native.TermIndexFile = field(repr=False)

    def strings(self) -> list[list[str]]:
        """The terms of each prefix, as they were when it was answered."""
        return _native.term_index_strings(self._file, self.ids, self._others)
