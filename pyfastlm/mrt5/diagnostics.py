"""Three tasks whose right deletions are known: the sanity check of a delete gate."""

import re
from collections.abc import Sequence
from string import ascii_letters, ascii_lowercase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.mrt5.examples import Example
from pyfastlm.mrt5.vocabulary import encode

Task = Literal["vowel_removal", "contextual_vowel_removal", "merge_abc"]

VOWELS = "aeiouAEIOU"
LOWER_CONSONANTS = "".join(c for c in ascii_lowercase if c not in VOWELS)
CONSONANTS = "".join(c for c in ascii_letters if c not in VOWELS)
_PATTERNS: dict[Task, tuple[re.Pattern[str], str]] = {
    "vowel_removal": (re.compile(f"[{VOWELS}]"), ""),
    "contextual_vowel_removal": (re.compile(f"([{LOWER_CONSONANTS}])[{VOWELS}]"), r"\1"),
    "merge_abc": (re.compile("ABC"), "D"),
}
# How many patterns are planted: mean of a normal distribution whose deviation is half of it, at 64 ids.
_PLANTED = {"contextual_vowel_removal": 25, "merge_abc": 5}


class Diagnostic:
    """Random letters, and what the task makes of them.

    - ``vowel_removal``: every vowel goes.
    - ``contextual_vowel_removal``: a vowel after a lower-case consonant goes.
    - ``merge_abc``: ``ABC`` becomes ``D``.

    An input is ``#``, letters, EOS. Epoch and number of an example decide it: another epoch, other letters.

    Args:
        task: one of the three.
        size: examples of an epoch.
        length: ids of an input, EOS included.
        seed: of all randomness.

    Raises:
        InputError: an unknown task, or a number out of range.

    Source: Kallini et al. (2024), section 5; ``data/preprocess_diagnostic_dataset.py``.
    """

    def __init__(self, task: Task, size: int, *, length: int = 64, seed: int = 0) -> None:
        if task not in _PATTERNS:
            raise InputError(f"task: expected one of {', '.join(_PATTERNS)}, got {task!r}")
        if size < 1:
            raise InputError(f"size: expected at least 1, got {size}")
        if length < 6:
            raise InputError(f"length: expected at least 6, got {length}")
        if seed < 0:
            raise InputError(f"seed: expected at least 0, got {seed}")
        self.task: Task = task
        self.size = size
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.size

    def examples(self, epoch: int, indices: Sequence[int] | NDArray[np.int64]) -> list[Example]:
        """The examples of these numbers; ``language`` is the task's name."""
        return [self._example(np.random.default_rng((self.seed, epoch, int(i)))) for i in indices]

    def _example(self, rng: np.random.Generator) -> Example:
        letters = rng.choice(list(ascii_letters), self.length - 2)
        if self.task == "merge_abc":
            for start in self._starts(rng, 3):
                letters[start : start + 3] = list("ABC")
        elif self.task == "contextual_vowel_removal":
            for start in self._starts(rng, 2):
                letters[start : start + 2] = rng.choice(list(CONSONANTS)), rng.choice(list(VOWELS))
        text = "#" + "".join(letters)
        return Example(encode(text), encode(target(self.task, text)), self.task)

    def _starts(self, rng: np.random.Generator, width: int) -> list[int]:
        """Places for patterns of this width, none on top of another: the first of a random order that fit."""
        mean = _PLANTED[self.task] * self.length / 64
        wanted = max(1, int(rng.normal(mean, mean / 2)))
        starts: list[int] = []
        for candidate in rng.permutation(self.length - 2 - width + 1):
            if len(starts) == wanted:
                break
            if all(abs(candidate - start) >= width for start in starts):
                starts.append(int(candidate))
        return starts


def target(task: Task, text: str) -> str:
    """What the task makes of ``text``."""
    pattern, replacement = _PATTERNS[task]
    return pattern.sub(replacement, text)
