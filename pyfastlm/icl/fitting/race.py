"""Many places for a few steps, the better of them for more, and the best to the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm._require import require
from pyfastlm._threads import num_threads
from pyfastlm.icl.fitting.crossing import crossed
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.laws import Doubles, Law
from pyfastlm.icl.problem import LOSSES, Problem

FEW, HEAT, LONG, FINAL = 10, 50, 100, 500  # steps from all, from those that go on, of finalists, of the best
AGAIN, ROUNDS, CHILDREN = 20, 10, 3  # of crossing: steps, how often, and how many for each start
FINALISTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Of B fits, the best T places: ``ends`` [B, T, P], the best first, and half the losses there, ``costs``
    [B, T]; whether the first came to rest, ``rests`` [B]."""

    ends: Doubles
    costs: Doubles
    rests: NDArray[np.bool_]

    @property
    def best(self) -> Doubles:
        """[B, P]."""
        found: Doubles = self.ends[:, 0]
        return found


def race(
    law: Law,
    loss: str,
    starts: Doubles,
    problems: Sequence[Problem],
    layout: Layout,
    threads: int | None,
    *,
    count: int = 1,
    seed: int = 0,
) -> Found:
    """Fit problems of the same shape from ``starts`` [N, P], or [B, N, P], of which ``count`` go on; curves
    alone count in B if the law is not joint. ``seed`` is of crossing."""
    solver = compiled()
    shots = np.stack([each.shots for each in problems])
    truth = compared(loss, np.stack([each.nll for each in problems]))
    known = np.stack([each.known for each in problems])
    if not law.joint:  # every curve is a problem of its own
        shots = np.repeat(shots, truth.shape[1], axis=0)
        truth, known = truth.reshape(-1, 1, truth.shape[-1]), known.reshape(-1, 1, known.shape[-1])
    task, places = layout.places(law, problems[0])
    rng = np.random.default_rng([seed, 1])

    def down(begin: Doubles, limit: int) -> Any:
        """From places [B, N, P]: where they lead, the best first, their costs, and whether these rest."""
        ends, costs, _, rests = solver.all_minimised(
            law.code, LOSSES.index(loss), np.ascontiguousarray(begin), shots, truth, known, task, places,
            layout.hypotheses, limit,
        )  # fmt: skip
        return _sorted(ends, costs, rests)

    def among(found: Any, keep: int, limit: int) -> Any:
        """The first ``keep`` of those found go on; the others stay where they are."""
        more = down(found[0][:, :keep], limit)
        return _sorted(*(np.concatenate([m, f[:, keep:]], 1) for m, f in zip(more, found, strict=True)))

    numba = require("numba", "icl")
    before = numba.get_num_threads()
    numba.set_num_threads(min(num_threads(threads), before))
    try:
        begin = np.broadcast_to(starts, (len(truth), *starts.shape[-2:]))
        if begin.shape[1] > count:
            found = down(begin, FEW)
            found = among(found, 2 * count, HEAT // 2)
        else:
            found = down(begin, HEAT)
        for _ in range(ROUNDS if law.name == "bayesian" and count > 1 else 0):
            pairs = found[0][:, : 2 * count]
            new = down(crossed(pairs, CHILDREN * count, problems[0].tasks, layout, rng), AGAIN)
            found = _sorted(*(np.concatenate(both, 1) for both in zip(found, new, strict=True)))
        if law.joint:
            found = among(found, count, HEAT // 2)
        found = among(found, FINALISTS, LONG)
        found = among(found, 1, FINAL)
    finally:
        numba.set_num_threads(before)
    ends, costs, rests = found
    return Found(ends[:, :count], costs[:, :count], rests[:, 0])


def _sorted(ends: Doubles, costs: Doubles, rests: Any) -> Any:
    order = np.argsort(costs, axis=1, kind="stable")
    return (
        np.take_along_axis(ends, order[..., None], 1),
        np.take_along_axis(costs, order, 1),
        np.take_along_axis(rests, order, 1),
    )


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


def differences(
    law: Law, loss: str, theta: Doubles, problem: Problem, layout: Layout
) -> tuple[Doubles, Doubles]:
    """Residuals [C S] as the loss has them, 0 of what is not known, and their derivatives [C S, P]; ``theta``
    is [P], or [1, P] of one curve if the law is not joint."""
    guess, by = predicted(law, theta, problem, layout, problem.shots)
    moved, r = np.ascontiguousarray(by.transpose(0, 2, 1)), np.empty(guess.shape)
    kind, truth = LOSSES.index(loss), compared(loss, problem.nll)
    compiled().residuals(kind, truth, problem.known, guess, moved, r)
    return r.reshape(-1), moved.transpose(0, 2, 1).reshape(r.size, -1)


def compiled() -> Any:
    """The solver; numba, which it needs, is imported late."""
    require("numba", "icl")
    from pyfastlm.icl.fitting import solver

    return solver
