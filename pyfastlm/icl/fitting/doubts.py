"""What a fit cannot know: too few points, numbers that the curves do not determine, starts that disagree."""

from collections.abc import Iterator

import numpy as np

from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.laws import Doubles, Law
from pyfastlm.icl.problem import Problem

FLAT = 1e-6  # probability
UNSEEN = 1e-6  # of the largest singular value: what moves probabilities less is not determined


def doubts(
    law: Law,
    by: Doubles,
    nll: Doubles,
    problem: Problem,
    layout: Layout,
    reached: int,
    starts: int,
    rests: bool,
) -> Iterator[str]:
    """In words; ``by`` [C, S, P] are the derivatives of the losses ``nll`` [C, S] where the fit ended."""
    for c, (row, known_here) in enumerate(zip(np.exp(-problem.nll), problem.known, strict=True)):
        if (seen := row[known_here]).max() - seen.min() < FLAT:
            yield f"curve {c}: flat, at a probability of {seen.mean():.3g}"
    moved = by * (np.exp(-nll) * problem.known)[..., None]
    fits = [moved.reshape(-1, by.shape[-1])] if law.joint else list(moved)
    known = [int(problem.known.sum())] if law.joint else problem.known.sum(axis=1).tolist()
    width = by.shape[-1] - (
        layout.priors if law.joint else 0
    )  # what is added to all free priors says nothing
    names = ["the curves"] if law.joint else [f"curve {c}" for c in range(len(fits))]
    for name, points, jacobian in zip(names, known, fits, strict=True):
        if points < width:
            yield f"{name}: {points} numbers for {width} parameters"
        elif (rank := _rank(jacobian)) < width:
            yield f"{name}: {width - rank} of {width} parameters are not determined"
    if not rests:
        yield "the solver made its last step before it came to rest"
    if starts > 1 and reached == 1:
        yield f"one start of {starts} reached this loss; try more"


def _rank(jacobian: Doubles) -> int:
    """Of columns of length 1: how far a parameter goes says nothing."""
    lengths = np.sqrt((jacobian**2).sum(axis=0))
    if not np.isfinite(lengths).all():
        return 0
    scaled = jacobian / np.where(lengths > 0, lengths, 1.0)
    values = np.linalg.svd(scaled, compute_uv=False)
    return int((values > UNSEEN * max(values[0], 1e-300)).sum())
