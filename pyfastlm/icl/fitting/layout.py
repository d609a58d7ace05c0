"""Where the numbers of a curve lie among the free ones of a law."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.icl.laws import Law
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

    def places(self, law: Law, problem: Problem) -> tuple[Places, Places]:
        """Of each curve: its task [C], and the places of its own numbers [C, W], as the forms take them.

        A law that is not joint has a curve alone.
        """
        if not law.joint:
            return np.zeros(1, np.int64), np.arange(len(law.published(1, 1)))[None]
        group = np.repeat(np.arange(problem.groups), problem.tasks)
        task = np.tile(np.arange(problem.tasks), problem.groups)
        hypothesis = np.arange(self.hypotheses)
        prior = np.minimum(group, self.priors - 1)[:, None] * self.hypotheses + hypothesis
        speed = self.priors * self.hypotheses + np.minimum(group, self.speeds - 1)
        first = self.priors * self.hypotheses + self.speeds
        if law.name == "bayesian":
            likelihood = first + task[:, None] * self.hypotheses + hypothesis
        elif law.name == "bayesian_sampling":
            likelihood = np.tile(first + np.arange(2 * self.hypotheses), (len(task), 1))
        else:
            likelihood = first + task[:, None] + np.array([0, problem.tasks])
        return task, np.concatenate([prior, speed[:, None], likelihood], axis=1)
