"""Folds of models by family: no family is on both sides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError


def family_folds(families: Sequence[Any], folds: int | None = 5, seed: int = 0) -> NDArray[np.intp]:
    """[N], the fold of each model, from 0; models of a family share it.

    Families are shuffled, and then go, the largest first, to the fold with the fewest models.

    Args:
        families: [N], a label for each model.
        folds: how many; None for one of each family.
        seed: of the shuffle.

    Raises:
        InputError: there are fewer families than folds, or fewer than two folds.
    """
    members: dict[Any, list[int]] = {}
    for row, label in enumerate(families):
        members.setdefault(label, []).append(row)
    count = len(members) if folds is None else folds
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= len(members):
        raise InputError(f"folds: expected 2 to {len(members)}, one for each family at most, got {count!r}")
    groups = list(members.values())
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = sorted((groups[place] for place in order), key=len, reverse=True)
    fold_of = np.empty(len(families), np.intp)
    sizes = [0] * count
    for rows in shuffled:
        fold = sizes.index(min(sizes))
        fold_of[rows] = fold
        sizes[fold] += len(rows)
    return fold_of


def halves(families: Sequence[Any], count: int, seed: int = 0) -> list[NDArray[np.intp]]:
    """``count`` random halves of the families, the larger half of an odd number: the rows of their models."""
    labels: dict[Any, int] = {}
    number = np.array([labels.setdefault(label, len(labels)) for label in families])
    kept = len(labels) - len(labels) // 2
    random = np.random.default_rng(seed)
    chosen = [random.choice(len(labels), kept, replace=False) for _ in range(count)]
    return [np.flatnonzero(np.isin(number, one)) for one in chosen]
