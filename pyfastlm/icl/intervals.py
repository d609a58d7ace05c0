"""How sure the numbers of a fit are: the fit again, to curves that might have been."""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from pyfastlm.errors import InputError
from pyfastlm.icl.fitted import Fit
from pyfastlm.icl.fitting.race import race
from pyfastlm.icl.params import Params, named
from pyfastlm.icl.problem import Problem

MOST = 1 - 1e-12  # of a probability that was drawn,
LEAST = 1e-12


class Intervals(NamedTuple):
    """Most of the fits to resampled curves have a number between those of ``low`` and ``high``."""

    low: Params
    high: Params


def bootstrap(
    fit: Fit,
    *,
    replicates: int = 200,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
) -> Intervals:
    """Intervals for each number of a fit, by resampling its residuals.

    What the law predicts keeps its place, the differences of probabilities are drawn again with replacement,
    within each curve; the law is fitted to that from where the fit ended. This says how noise moves the
    numbers around this optimum; that the law is the right one, or the optimum the only one, it does not say.

    Args:
        fit: what :func:`pyfastlm.icl.fit` returned.
        replicates: how often.
        level: share of the fits inside.
        seed: of the drawing.
        threads: default ``PYFASTLM_NUM_THREADS``, or the machine's.

    Raises:
        InputError: a number is out of range.
    """
    if replicates < 2:
        raise InputError(f"replicates: expected at least 2, got {replicates}")
    if not 0 < level < 1:
        raise InputError(f"level: expected a share between 0 and 1, got {level}")
    given, law, layout = fit._problem, fit._law, fit._layout
    rng = np.random.default_rng(seed)
    guess = np.exp(-fit.predict(given.shots).reshape(given.nll.shape))
    off = np.exp(-given.nll) - guess
    problems = []
    for _ in range(replicates):
        drawn = np.stack(
            [rng.choice(row[known], len(row)) for row, known in zip(off, given.known, strict=True)]
        )
        nll = -np.log(np.clip(guess + drawn, LEAST, MOST))
        problems.append(
            Problem(
                given.shots,
                np.where(given.known, nll, 1.0),
                given.known,
                given.tasks,
                given.groups,
                given.grouped,
            )
        )
    theta = fit._theta
    starts = theta[None] if law.joint else np.tile(theta, (replicates, 1))[:, None]
    found = race(law, fit._loss, starts, problems, layout, threads).best
    if not law.joint:
        found = found.reshape(replicates, *theta.shape)
    numbers = [
        named(law, each, given.tasks, layout.hypotheses, layout.priors, layout.speeds) for each in found
    ]
    return Intervals(_quantile(numbers, (1 - level) / 2), _quantile(numbers, (1 + level) / 2))


def _quantile(numbers: list[Params], share: float) -> Params:
    """Of each number."""
    kind = type(numbers[0])
    stacked = {each.name: np.stack([getattr(one, each.name) for one in numbers]) for each in fields(kind)}
    return kind(**{name: np.quantile(values, share, axis=0) for name, values in stacked.items()})
