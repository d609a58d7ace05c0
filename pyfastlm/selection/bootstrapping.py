"""How certain an estimate is: models, or whole families of them, drawn anew many times."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection import inputs
from pyfastlm.selection.closed_forms import FORMS, Doubles, Ties
from pyfastlm.selection.estimators import prepared
from pyfastlm.selection.inputs import Missing

SAMPLE_BYTES = 1 << 25  # of the estimates of all replicates of a block


class Intervals(NamedTuple):
    """An estimate with its percentile interval; all fields are [D], or [D, K] for K benchmarks.

    ``replicates`` counts those in which the estimate was a number: where few different models were drawn
    there is none.
    """

    estimate: Any
    low: Any
    high: Any
    replicates: Any


def bootstrap(
    estimator: str,
    X: Any,
    y: Any,
    *,
    replicates: int = 1000,
    families: Sequence[Any] | None = None,
    level: float = 0.95,
    seed: int = 0,
    ties: Ties = "average",
    missing: Missing = "raise",
    threads: int | None = None,
) -> Intervals:
    """The estimate of each domain with an interval: percentiles over models drawn with replacement.

    Models of a family (checkpoints of one run, sizes of one recipe) are not independent: with ``families``
    whole families are drawn, each with all of its models, and the interval is as wide as it should be.
    One draw serves all domains and benchmarks, so replicates can be compared across them.

    Args:
        estimator: ``"product"``, ``"sign"``, ``"sign_cdf"``, ``"sign_sign"`` or ``"spearmanr"``.
        X, y, ties, missing, threads: as the estimators take them; X is gone through once.
        replicates: how often to draw.
        families: [N], a label for each model, of two families or more.
        level: of the interval, between 0 and 1.
        seed: of the draws, a whole number.

    Raises:
        InputError: a value is wrong.
    """
    if estimator not in FORMS:
        raise InputError(f"estimator: expected one of {', '.join(FORMS)}, got {estimator!r}")
    if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 1:
        raise InputError(f"replicates: expected a whole number >= 1, got {replicates!r}")
    if not 0 < level < 1:
        raise InputError(f"level: expected a number between 0 and 1, got {level!r}")
    count = inputs.check_options(ties, missing, threads)
    errors, single = inputs.errors_of(y, missing)
    drawn = draws(len(errors), families, replicates, seed)
    given, X = inputs.first_of(X)
    size = max(SAMPLE_BYTES // (8 * replicates * errors.shape[1]), 64)
    whole = prepared(estimator, errors, ties, missing)
    parts: list[tuple[NDArray[Any], ...]] = []
    for block in inputs.blocks_of(X, len(errors), missing, count, size):
        samples = np.empty((replicates, errors.shape[1], block.shape[1]))
        for sample, rows in zip(samples, drawn, strict=True):
            sample[:] = prepared(estimator, errors[rows], ties, missing)(block[rows], count)
        fields = (whole(block, count), *percentiles(samples, level))
        parts.append(tuple(np.ascontiguousarray(field.T) for field in fields))
    found = (np.concatenate(field) for field in zip(*parts, strict=True))
    return Intervals(*(inputs.like(field[:, 0] if single else field, given) for field in found))


def draws(models: int, families: Sequence[Any] | None, replicates: int, seed: int) -> list[NDArray[np.intp]]:
    """The rows of each replicate; two or more, which a draw of one family of one model would not be."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed: expected a whole number >= 0, got {seed!r}")
    random = np.random.default_rng(seed)
    if families is None:
        return list(random.integers(models, size=(replicates, models)))
    labels = list(families)
    if len(labels) != models:
        raise InputError(f"families: expected a label for each of {models} models, got {len(labels)}")
    members: dict[Any, list[int]] = {}
    for row, label in enumerate(labels):
        members.setdefault(label, []).append(row)
    if len(members) < 2:
        raise InputError("families: expected two or more, got 1")
    groups = [np.array(rows, np.intp) for rows in members.values()]
    picks = random.integers(len(groups), size=(replicates, len(groups)))
    return [np.concatenate([groups[pick] for pick in row]) for row in picks]


def percentiles(samples: Doubles, level: float) -> tuple[Doubles, Doubles, NDArray[np.intp]]:
    """Low, high and number of values over the first axis, NaN left out; interpolated as numpy does."""
    rising = np.sort(samples, axis=0)  # NaN last
    found = np.count_nonzero(~np.isnan(rising), axis=0)
    ends = []
    for part in ((1 - level) / 2, (1 + level) / 2):
        place = part * np.maximum(found - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(found - 1, 0))
        low, high = (np.take_along_axis(rising, at[None], axis=0)[0] for at in (below, above))
        ends.append(low + (high - low) * (place - below))
    return ends[0], ends[1], found
