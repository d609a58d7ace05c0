"""Other ways to take pages, to be compared under the same budget: at random, by domain, by importance."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.selection.filtering.drawing import hash64
from pyfastlm.selection.matrix import BpbMatrix


@dataclass(frozen=True, slots=True)
class RandomPages:
    """Scores are uniform in (0, 1), decided by text and seed: pages at random, in whatever order they lie."""

    seed: int = 0

    @property
    def reads(self) -> str:
        """Texts."""
        return "text"

    @property
    def fingerprint(self) -> str:
        """Of the seed."""
        return f"random-{self.seed}"

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Uniform numbers [n]."""
        return uniform(texts, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class DomainScores:
    """The score of a page is that of its domain; pages of one domain are taken in the order of the inputs."""

    scores: Mapping[str, float] = field(repr=False)

    @property
    def reads(self) -> str:
        """Domains."""
        return "domain"

    @property
    def fingerprint(self) -> str:
        """Of all names and scores."""
        text = json.dumps(sorted((name, float(value)) for name, value in self.scores.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Scores [n] of domains with these names; NaN for others, whose pages are then rejected."""
        return np.array([self.scores.get(name, np.nan) for name in texts], np.float64)


def lowest_bits_per_byte(matrix: BpbMatrix) -> DomainScores:
    """The domains that models find easiest first: minus the mean over models of bits per byte.

    Raises:
        InputError: a model has no number for a domain.
    """
    means = [np.empty(0)]
    means += [block.astype(np.float64).mean(axis=0) for block in matrix.blocks()]
    found = np.concatenate(means)
    if len(missing := np.flatnonzero(~np.isfinite(found))):
        name = matrix.domains[missing[0]]
        raise InputError(f"matrix: domain {name!r} has no number of some model; drop one of them first")
    return DomainScores(dict(zip(matrix.domains, (-found).tolist(), strict=True)))


def uniform(texts: Sequence[str], seed: int) -> NDArray[np.float64]:
    """Numbers in (0, 1) decided by text and seed, [n]."""
    draws = [hash64(seed, b"uniform", text.encode()) >> 11 for text in texts]
    return (np.array(draws, np.float64) + 0.5) / 2**53
