"""All starts for a while, and the best of them to the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm._threads import num_threads
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.laws import Doubles, Law
from pyfastlm.icl.problem import LOSSES, Problem

HEAT, FINAL = 50, 500  # steps
FINALISTS = 3  # the published start, whichever its place, and the best of the others


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Of B fits from T starts: ``ends`` [B, T, P] and half the losses there ``costs`` [B, T]; whether the
    best of them came to rest, ``rests`` [B]; and how many steps were made."""

    ends: Doubles
    costs: Doubles
    rests: NDArray[np.bool_]
    steps: int

    @property
    def best(self) -> Doubles:
        """[B, P]."""
        found: Doubles = self.ends[np.arange(len(self.ends)), self.costs.argmin(axis=1)]
        return found


def race(
    law: Law, loss: str, starts: Doubles, problems: Sequence[Problem], layout: Layout, threads: int | None
) -> Found:
    """Fit problems of the same shape from ``starts`` [T, P], or [B, T, P]; curves alone count in B if the law
    is not joint."""
    solver = compiled()
    if law.joint:
        shots = np.stack([each.shots for each in problems])
        nll = np.stack([each.nll for each in problems])
        known = np.stack([each.known for each in problems])
        task, prior_at, speed_at = layout.places(problems[0])
    else:  # every curve is a problem of its own
        shots = np.concatenate([np.repeat(each.shots[None], len(each.nll), axis=0) for each in problems])
        nll = np.concatenate([each.nll for each in problems])[:, None]
        known = np.concatenate([each.known for each in problems])[:, None]
        task = prior_at = speed_at = np.zeros(1, np.int64)
    begin = np.ascontiguousarray(np.broadcast_to(starts, (len(nll), *starts.shape[-2:])))

    def run(begin: Doubles, limit: int) -> Any:
        return solver.all_minimised(
            law.code, LOSSES.index(loss), begin, shots, nll, known, task, prior_at, speed_at,
            layout.hypotheses, problems[0].tasks, limit,
        )  # fmt: skip

    numba = require("numba", "icl")
    before = numba.get_num_threads()
    numba.set_num_threads(min(num_threads(threads), before))
    try:
        ends, costs, steps, _ = run(begin, HEAT)
        order = np.argsort(costs[:, 1:], axis=1, kind="stable")[:, : FINALISTS - 1] + 1
        order = np.concatenate([np.zeros((len(costs), 1), np.int64), order], axis=1)
        final, cost, more, rests = run(np.take_along_axis(ends, order[..., None], 1), FINAL)
    finally:
        numba.set_num_threads(before)
    np.put_along_axis(ends, order[..., None], final, 1)
    np.put_along_axis(costs, order, cost, 1)
    rested = np.take_along_axis(rests, cost.argmin(axis=1)[:, None], 1)[:, 0]
    return Found(ends, costs, rested, int(steps.sum() + more.sum()))


def predicted(
    law: Law, theta: Doubles, problem: Problem, layout: Layout, shots: Doubles
) -> tuple[Doubles, Doubles]:
    """Losses [C, S] and derivatives [C, S, P] at ``shots`` [S], for ``theta`` [C, P], or [P] if joint."""
    solver = compiled()
    curves, width = len(problem.nll), theta.shape[-1]
    loss, by = np.empty((curves, len(shots))), np.empty((curves, len(shots), width))
    if law.joint:
        task, prior_at, speed_at = layout.places(problem)
        solver.curves(
            law.code, theta, shots, task, prior_at, speed_at, layout.hypotheses, problem.tasks, loss, by
        )
        return loss, by
    alone = np.zeros(1, np.int64)
    for c in range(curves):
        solver.curves(law.code, theta[c], shots, alone, alone, alone, 1, 1, loss[c : c + 1], by[c : c + 1])
    return loss, by


def compiled() -> Any:
    """The solver; numba, which it needs, is imported late."""
    require("numba", "icl")
    from pyfastlm.icl.fitting import solver

    return solver
