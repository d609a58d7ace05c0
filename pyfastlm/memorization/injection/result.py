"""What came of a run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyfastlm.lm.loading import LM
from pyfastlm.memorization.injection.injection import Transform
from pyfastlm.memorization.injection.log import Logged


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """One sequence: ``tokens`` [n] int64 as they were planted, ``repetitions`` as counted in the batches, and
    the ``steps`` [repetitions] int64, from 0, whose batches had it."""

    sequence: str
    transform: Transform
    tokens: NDArray[np.int64]
    repetitions: int
    steps: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Continued:
    """What a run came to.

    ``lm`` is the trained model, ``planted`` has what was counted for each injection in their order, ``log``
    the entries, ``checkpoints`` the directories kept (``pyfastlm.lm.load`` takes each; none without a
    directory), ``resumed_step`` how many steps earlier runs had done, ``seconds`` the wall time of all runs
    together. ``share`` is the fraction of all examples that was replaced, ``densest`` the largest fraction in
    one batch.
    """

    lm: LM
    steps: int
    planted: tuple[Planted, ...]
    log: tuple[Logged, ...]
    checkpoints: tuple[Path, ...]
    resumed_step: int
    seconds: float
    share: float
    densest: float
