"""What tells a misspelling from a word that nobody knows yet: a few numbers about what resembles it."""

import math
from collections.abc import Sequence

from pyfastlm.index import Similar

NAMES = (
    "fit",  # of the best option
    "cost",
    "edits",
    "easiness",  # edits less their cost
    "share",  # of trigrams
    "length",  # of the text
    "longer",  # by how much the best option is
    "same first",
    "same last",
    "same letters",
    "two words",
    "split",  # fit of the best pair of words less that of the best option
    "second",  # fit of the next option less that of the best one
    "crowd",  # log of the sum of the likelihoods of all options over that of the best one
    "near by cost",  # how many options cost as little, or half an edit more
    "near by edits",  # how many are within one edit
)
NEVER = -20.0  # of differences in fit, where there is nothing to compare with


def features(text: str, options: Sequence[Similar]) -> list[float]:
    """One value for each of ``NAMES``. ``options``: at least one, best fit first."""
    best = options[0]
    pairs = [one.fit for one in options if " " in one.term]
    crowd = math.log(sum(math.exp(one.fit - best.fit) for one in options))
    return [
        best.fit,
        best.cost,
        best.edits,
        best.edits - best.cost,
        best.share,
        len(text),
        len(best.term) - len(text),
        best.term[:1] == text[:1],
        best.term[-1:] == text[-1:],
        sorted(best.term) == sorted(text),
        " " in best.term,
        max(pairs[0] - best.fit, NEVER) if pairs else NEVER,
        max(options[1].fit - best.fit, NEVER) if len(options) > 1 else NEVER,
        crowd,
        sum(one.cost <= best.cost + 0.5 for one in options),
        sum(one.edits <= 1 for one in options),
    ]
