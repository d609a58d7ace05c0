"""New places to begin at for the original law, made of the best that were found.

Given priors and K, its curves have nothing in common: a row of likelihoods that is right for one curve stays
right when another place takes it over, which descent alone, from place to place, does not find.
"""

import numpy as np

from pyfastlm.icl.fitting.layout import Layout
from pyfastlm.icl.fitting.starts import likelihoods
from pyfastlm.icl.laws import Doubles

PARENTS = 4  # that are changed; rows come from any


def crossed(found: Doubles, count: int, tasks: int, layout: Layout, rng: np.random.Generator) -> Doubles:
    """[B, count, P] from ``found`` [B, T, P], the best first: in each, one row of the likelihoods is that of
    another place, or its own in another order, or drawn anew; the same choices for every problem."""
    width = layout.hypotheses
    first = layout.priors * width + layout.speeds
    changed: Doubles = found[:, np.arange(count) % min(PARENTS, found.shape[1])]
    for n in range(count):
        begin = first + width * rng.integers(tasks)
        row = slice(begin, begin + width)
        match n % 3:
            case 0:
                changed[:, n, row] = found[:, rng.integers(found.shape[1]), row]
            case 1:
                changed[:, n, row] = changed[:, n, row][:, rng.permutation(width)]
            case _:
                changed[:, n, row] = likelihoods(rng, width)
    return changed
