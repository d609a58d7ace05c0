"""Where the numbers of a problem lie among the free ones of a joint law."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.icl.problem import Problem

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """``priors`` rows of [hypotheses] numbers come first, then ``speeds`` of K, then the likelihoods.

    There is a row, or a K, for each group of curves, or one for all.
    """

    hypotheses: int
    priors: int
    speeds: int

    def places(self, problem: Problem) -> tuple[Places, Places, Places]:
        """Of each curve [C]: its task, and where its prior and its K begin."""
        group = np.repeat(np.arange(problem.groups), problem.tasks)
        task = np.tile(np.arange(problem.tasks), problem.groups)
        prior_at = np.minimum(group, self.priors - 1) * self.hypotheses
        return task, prior_at, self.priors * self.hypotheses + np.minimum(group, self.speeds - 1)
