"""Where fits begin: the published place, one that curves like these lead away from, and random ones."""

import numpy as np

from pyfastlm.icl.laws import Doubles, Law

SPREAD = 2.0  # of random places for curves alone, about the published one
POOL = 8  # places of a joint law that are drawn for each start
PRIOR, SPEED, LIKELIHOOD, OWN, OTHER = (0.0, 0.5), (-2.0, 1.0), (0.3, 1.2), (-0.3, 0.3), (-0.5, 1.0)


def starting(
    law: Law, count: int, tasks: int, hypotheses: int, priors: int, speeds: int, seed: int
) -> Doubles:
    """[count, P], the same for all problems of a shape; [``POOL`` count, P] of a joint law with several.

    The published start of the likelihoods makes what a task says *less* likely to itself; the second of a
    joint law turns that round, and begins with a slow learner. The others learn within some shots.
    """
    published = law.published(tasks, hypotheses)
    rng = np.random.default_rng(seed)
    if not law.joint:
        moved = published + SPREAD * rng.normal(size=(count - 1, len(published)))
        return np.concatenate([published[None], moved])
    free, tail = np.zeros(priors * hypotheses), published[hypotheses + 1 :]
    first = np.concatenate([free, np.ones(speeds), tail])
    if count == 1:
        return first[None]
    if law.name == "bayesian":
        turned = (1.0 - 1.5 * np.eye(tasks, hypotheses)).reshape(-1)
    else:
        turned = np.where(np.arange(len(tail)) < len(tail) // 2, 0.0, tail)
    second = np.concatenate([free, np.full(speeds, -3.0), turned])
    drawn = [_drawn(law, len(free), speeds, len(tail), rng) for _ in range(POOL * count - 2)]
    return np.stack([first, second, *drawn])


def likelihoods(rng: np.random.Generator, count: int) -> Doubles:
    """Free ones of the original law."""
    return rng.normal(*LIKELIHOOD, count)


def _drawn(law: Law, priors: int, speeds: int, tail: int, rng: np.random.Generator) -> Doubles:
    head = rng.normal(*PRIOR, priors), rng.normal(*SPEED, speeds)
    if law.name == "bayesian":
        return np.concatenate([*head, likelihoods(rng, tail)])
    return np.concatenate([*head, rng.normal(*OWN, tail // 2), rng.normal(*OTHER, tail // 2)])
