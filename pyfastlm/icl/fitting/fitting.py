"""Fit a law to curves, or to many sets of curves at once."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.fitted import Fit, judged
from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.race import Found, race
from pyfastlm.icl.fitting.starts import starting
from pyfastlm.icl.laws import LawName
from pyfastlm.icl.problem import Loss, Missing, check_options, problem

Shared = Literal["prior", "efficiency"]


def fit(
    law: LawName,
    shots: Any,
    nll: Any,
    *,
    starts: int = 8,
    loss: Loss = "mse_prob",
    hypotheses: int | None = None,
    share: Sequence[Shared] = (),
    missing: Missing = "raise",
    seed: int = 0,
    threads: int | None = None,
) -> Fit:
    """Fit a law of in-context learning (Arora et al., 2024) to curves.

    Bayesian laws are fitted to all curves at once, the others to each. In float64, with exact derivatives,
    from several starts; of a joint law, each is the better of many places that are drawn, and ``bayesian``
    crosses what they lead to. The best go on to the end. The order of shots does not matter.

    Args:
        law: a name of :data:`pyfastlm.icl.LAWS`.
        shots: [S], counted from 1: the n-th example is predicted after n - 1 others.
        nll: [C, S] in nats, curve h of examples of task h: -log of the *mean* probability, not the mean of
            -log. Or [G, C, S] for G groups of the same tasks, e.g. amounts of fine-tuning: the likelihoods of
            a Bayesian law are then shared by all, and each group has its prior and its K.
        starts: places to begin at; the published one is among them, the others are drawn by ``seed``. With 1,
            there is the published one only.
        loss: what is summed and made small: ``mse_prob`` squares of differences of probabilities, ``mse`` of
            losses, ``mse_log`` of their logarithms; ``huber`` and ``huber_log`` the same by Huber's loss.
        hypotheses: of a Bayesian law, the tasks by default; more where a learner may have others in mind.
        share: what the groups have in common besides: ``prior``, ``efficiency``.
        missing: ``mask`` leaves out numbers that are NaN; ``raise`` refuses them.
        seed: of the starts, and of crossing.
        threads: default ``PYFASTLM_NUM_THREADS``, or the machine's.

    Raises:
        InputError: a name or a shape is wrong, a loss is negative, NaN, or not one that ``loss`` can take.
        MissingExtra: numba is not installed.
    """
    (found,) = fit_many(
        law, [(shots, nll)], starts=starts, loss=loss, hypotheses=hypotheses, share=share, missing=missing,
        seed=seed, threads=threads, _where=None,
    )  # fmt: skip
    return found


def fit_many(
    law: LawName,
    sets: Iterable[tuple[Any, Any]],
    *,
    starts: int = 8,
    loss: Loss = "mse_prob",
    hypotheses: int | None = None,
    share: Sequence[Shared] = (),
    missing: Missing = "raise",
    seed: int = 0,
    threads: int | None = None,
    _where: str | None = "sets",
) -> list[Fit]:
    """Fit a law to many sets of curves, ``(shots, nll)`` each; the same as :func:`fit` of each, and faster.

    Raises:
        InputError: as :func:`fit`; names the set.
    """
    chosen = check_options(law, loss, starts, missing, hypotheses)
    if unknown := set(share) - {"prior", "efficiency"}:
        raise InputError(f"share: expected prior and efficiency, got {sorted(unknown)[0]!r}")
    problems = [
        problem(shots, nll, loss, missing, f"{_where}[{place}]: " if _where else "")
        for place, (shots, nll) in enumerate(sets)
    ]
    alike: dict[tuple[int, ...], list[int]] = {}
    for place, each in enumerate(problems):
        alike.setdefault((each.groups, each.tasks, len(each.shots)), []).append(place)
    fits: list[Fit | None] = [None] * len(problems)
    for (groups, tasks, _), places in alike.items():
        if hypotheses is not None and hypotheses < tasks:
            raise InputError(f"hypotheses: expected one for each of {tasks} tasks at least, got {hypotheses}")
        layout = Layout(
            hypotheses or tasks, 1 if "prior" in share else groups, 1 if "efficiency" in share else groups
        )
        begin = starting(chosen, starts, tasks, layout.hypotheses, layout.priors, layout.speeds, seed)
        some = [problems[place] for place in places]
        found = race(chosen, loss, begin, some, layout, threads, count=starts, seed=seed)
        scale = 1.0 if loss.startswith("huber") else 2.0  # the solver has half the sum of squares
        width = 1 if chosen.joint else groups * tasks
        for at, (place, each) in enumerate(zip(places, some, strict=True)):
            rows = slice(at * width, (at + 1) * width)
            theta = found.best[rows][0] if chosen.joint else found.best[rows]
            fits[place] = judged(
                chosen,
                loss,
                theta,
                _by_start(found, rows, scale),
                bool(found.rests[rows].all()),
                each,
                layout,
            )
    return [each for each in fits if each]


def _by_start(found: Found, rows: slice, scale: float) -> Any:
    """The best first where curves are fitted alone: the sum of what each came to from its n-th best start."""
    costs = found.costs[rows]
    return scale * (costs[0] if len(costs) == 1 else np.sort(costs, axis=1).sum(axis=0))
