"""Where fits begin: the published place, places that curves like these lead away from, and random ones."""

import numpy as np

from pyfastlm.icl.laws import Doubles, Law

SPREAD = {False: 2.0, True: 1.0}  # of random places, for curves alone and for joint laws


def starting(
    law: Law, count: int, tasks: int, hypotheses: int, priors: int, speeds: int, seed: int
) -> Doubles:
    """[count, P], the same for all problems of a shape.

    The published start of the likelihoods makes what a task says *less* likely to itself; every other start
    turns that round, and begins with a slow learner.
    """
    published = law.published(tasks, hypotheses)
    if not law.joint:
        places = [published]
    else:
        free, tail = np.zeros(priors * hypotheses), published[hypotheses + 1 :]
        turned = tail.copy()
        if law.name == "bayesian":
            turned = (1.0 - 1.5 * np.eye(tasks, hypotheses)).reshape(-1)
        else:
            turned[: len(tail) // 2] = 0.0
        places = [
            np.concatenate([free, np.full(speeds, speed), likelihood])
            for speed, likelihood in ((1.0, tail), (-3.0, turned))
        ]
    rng = np.random.default_rng(seed)
    moved = [
        places[n % len(places)] + SPREAD[law.joint] * rng.normal(size=len(places[0]))
        for n in range(count - len(places))
    ]
    return np.stack([*places, *moved])[:count]
