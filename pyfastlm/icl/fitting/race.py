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
    shots = np.stack([each.shots for each in problems])
    truth = compared(loss, np.stack([each.nll for each in problems]))
    known = np.stack([each.known for each in problems])
    if not law.joint:  # every curve is a problem of its own
        shots = np.repeat(shots, truth.shape[1], axis=0)
        truth, known = (each.reshape(-1, 1, each.shape[-1]) for each in (truth, known))
    task, places = layout.places(law, problems[0])
    begin = np.ascontiguousarray(np.broadcast_to(starts, (len(truth), *starts.shape[-2:])))

    def run(begin: Doubles, limit: int) -> Any:
        return solver.all_minimised(
            law.code, LOSSES.index(loss), begin, shots, truth, known, task, places, layout.hypotheses, limit
        )

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


def compared(loss: str, nll: Doubles) -> Doubles:
    """What a loss is the difference of."""
    if loss == "mse_prob":
        return np.asarray(np.exp(-nll))
    return np.asarray(np.log(nll)) if loss.endswith("log") else nll


def predicted(
    law: Law, theta: Doubles, problem: Problem, layout: Layout, shots: Doubles
) -> tuple[Doubles, Doubles]:
    """Losses [C, S] and derivatives [C, S, P] at ``shots`` [S], for ``theta`` [C, P], or [P] if joint."""
    solver = compiled()
    task, places = layout.places(law, problem)
    count = len(problem.nll)
    loss, by = np.empty((count, len(shots))), np.empty((count, places.shape[1], len(shots)))
    if law.joint:
        solver.curves(law.code, theta, shots, task, places, layout.hypotheses, loss, by)
        every = np.zeros((count, len(theta), len(shots)))
        np.put_along_axis(every, places[..., None], by, 1)
        return loss, every.transpose(0, 2, 1)
    for c in range(count):
        solver.curves(law.code, theta[c], shots, task, places, 1, loss[c : c + 1], by[c : c + 1])
    return loss, by.transpose(0, 2, 1)


def compiled() -> Any:
    """The solver; numba, which it needs, is imported late."""
    require("numba", "icl")
    from pyfastlm.icl.fitting import solver

    return solver
