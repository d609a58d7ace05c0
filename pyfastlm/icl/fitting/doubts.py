"""What a fit cannot know: too few points, numbers that the curves do not determine, starts that disagree."""

from collections.abc import Iterator

import numpy as np

from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.laws import Doubles, Law
from pyfastlm.icl.problem import Problem

FLAT = 1e-6  # probability
LOOSE = 1.0  # standard error of a free number: of a logarithm, a factor of e
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
    p = np.exp(-nll)
    moved = (by * p[..., None])[problem.known] if law.joint else by * (p * problem.known)[..., None]
    off = (p - np.exp(-problem.nll)) * problem.known
    known = problem.known.sum(axis=1)
    width = by.shape[-1]
    if law.joint:
        fits = [("the curves", moved, off, int(known.sum()))]
        width -= layout.priors  # what is added to all free priors says nothing
    else:
        fits = [(f"curve {c}", moved[c], off[c], int(known[c])) for c in range(len(off))]
    for name, jacobian, differences, points in fits:
        if points < width:
            yield f"{name}: {points} numbers for {width} parameters"
            continue
        rank, moves = _determined(jacobian)
        if rank < width:
            yield f"{name}: {width - rank} of {width} parameters are not determined"
        noise = np.sqrt((differences**2).sum() / max(points - rank, 1))
        if loose := int((noise * moves > LOOSE).sum()):
            yield f"{name}: noise moves {loose} of {width} parameters far"
    if not rests:
        yield "the solver made its last step before it came to rest"
    if starts > 1 and reached == 1:
        yield f"one start of {starts} reached this loss; try more"


def _determined(jacobian: Doubles) -> tuple[int, Doubles]:
    """The rank, of columns of length 1: how far a parameter goes says nothing. And how far noise of size 1
    moves each, by what is determined."""
    lengths = np.sqrt((jacobian**2).sum(axis=0))
    if not np.isfinite(lengths).all():
        return 0, np.zeros(len(lengths))
    lengths = np.where(lengths > 0, lengths, 1.0)
    scaled = jacobian / lengths
    values, axes = np.linalg.eigh(scaled.T @ scaled)
    seen = values > UNSEEN**2 * max(values[-1], 1e-300)
    moves: Doubles = np.sqrt((axes[:, seen] ** 2 / values[seen]).sum(axis=1)) / lengths
    return int(seen.sum()), moves
