"""GINC of Xie et al. (2022): documents by a mixture of hidden Markov models that share words, not habits."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError

Doubles = NDArray[np.float64]
Tokens = NDArray[np.int64]

DELIMITER = 0
MIXED = 10  # permutations in a mixture
STAY = 0.9  # of entities
SHARP, FLAT = 0.1, 10.0  # temperatures: of mixtures, and of where documents begin


@dataclass(frozen=True, eq=False)
class GINC:
    """Hidden states are (entity, property) pairs, numbered ``entity * properties + property``.

    An entity mostly stays, by a matrix that all models share; properties follow each model's own matrix. A
    state always says the same word, and property 0 says the delimiter. Words are numbered below ``symbols``.

    Attributes:
        transitions: [H, S, S], rows sum to 1.
        start: [H, S], where documents begin.
        words: [S], what a state says.
    """

    entities: int
    properties: int
    symbols: int
    transitions: Doubles
    start: Doubles
    words: Tokens

    @classmethod
    def make(
        cls, hmms: int = 5, *, entities: int = 10, properties: int = 10, symbols: int = 50, seed: int = 1111
    ) -> "GINC":
        """Draw the models.

        Raises:
            InputError: fewer than one model, two entities, properties or words.
        """
        for name, value, least in (
            ("hmms", hmms, 1),
            ("entities", entities, 2),
            ("properties", properties, 2),
            ("symbols", symbols, 2),
        ):
            if value < least:
                raise InputError(f"{name}: expected at least {least}, got {value}")
        rng = np.random.default_rng(seed)
        staying = STAY * np.eye(entities) + (1 - STAY) * _mixture(entities, rng)
        transitions = np.stack([np.kron(staying, _mixture(properties, rng)) for _ in range(hmms)])
        start = np.stack([_softmax(rng.random(entities * properties) - 0.5, FLAT) for _ in range(hmms)])
        words = rng.integers(1, symbols, (entities, properties))
        words[:, 0] = DELIMITER
        return cls(entities, properties, symbols, transitions, start, words.reshape(-1))

    @property
    def hmms(self) -> int:
        """How many models there are."""
        return len(self.transitions)

    def digest(self) -> str:
        """A hash of all that decides what its models write."""
        whole = hashlib.blake2b(repr((self.entities, self.properties, self.symbols)).encode(), digest_size=8)
        for part in (self.transitions, self.start, self.words):
            whole.update(np.ascontiguousarray(part).data)
        return whole.hexdigest()


def _mixture(size: int, rng: np.random.Generator) -> Doubles:
    """Of random permutations: a matrix whose rows and columns sum to 1."""
    weights = _softmax(rng.random(MIXED) - 0.5, SHARP)
    mixed: Doubles = sum(weight * np.eye(size)[rng.permutation(size)] for weight in weights)
    return mixed


def _softmax(x: Doubles, temperature: float) -> Doubles:
    e = np.exp((x - x.max()) / temperature)
    weights: Doubles = e / e.sum()
    return weights


def drawn(cumulated: Doubles, rng: np.random.Generator) -> Tokens:
    """States [...], one for each row of cumulated probabilities [..., S]."""
    found = (cumulated < rng.random(cumulated.shape[:-1])[..., None]).sum(axis=-1)
    states: Tokens = np.minimum(found, cumulated.shape[-1] - 1)  # rows sum to 1 up to rounding
    return states
