"""Words and what they name, in two hops: lobster -> crustacean -> animal, with only the last one given."""

import os
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyfastlm._require import require
from pyfastlm._wordnet import Nouns, read_nouns
from pyfastlm.errors import InputError
from pyfastlm.together.tasks.task import Row, Sizes, Task, same

WHERE = "/usr/share/wordnet"
KINDS = {  # what the second module says, and what the first one may
    "animal": ("bird", "insect", "mammal"),
    "artifact": ("building", "clothing", "furniture", "vehicle"),
    "person": ("athlete", "leader", "scientist"),
}
GROUPS = tuple(group for groups in KINDS.values() for group in groups)
SIZES = Sizes(60, 40, 200)
WORD = re.compile("[a-z]{3,}")


def wordnet(directory: "str | os.PathLike[str]" = WHERE) -> Task:
    """Two modules: a word to its group (bird, vehicle, ...), and a group to its kind (animal, artifact,
    person).

    The gold answer is the kind; the group is nowhere in the rows, so its label must be bootstrapped. Words
    are single, occur in the texts that WordNet's senses are counted in, and belong by their first sense to
    one group alone. Kinds are equally frequent.

    Args:
        directory: with ``data.noun`` and ``index.noun``, as Debian's package wordnet-base installs them.

    Raises:
        InputError: they are not there, or damaged.
    """
    nouns = read_nouns(Path(directory))
    words = _words(nouns)
    each = min(sum(group in groups for group in words.values()) for groups in KINDS.values())
    if 3 * each < sum(SIZES):
        raise InputError(f"directory: expected {sum(SIZES)} words of its kinds in the files, got {3 * each}")
    rng = np.random.default_rng(0)
    rows = []
    for kind, groups in KINDS.items():
        own = sorted(word for word, group in words.items() if group in groups)
        drawn = sorted(rng.permutation(len(own))[:each])
        rows += [Row(f"wordnet-{own[number]}", {"word": own[number]}, kind) for number in drawn]
    return Task(
        name="wordnet",
        rows=tuple(rows),
        sizes=SIZES,
        program=_program,
        output="kind",
        correct=same,
        provenance=f"WordNet 3.0, {each} nouns of each kind",
    )


def _words(nouns: Nouns) -> dict[str, str]:
    """The group of every word that has exactly one."""
    first = nouns.first
    roots = {first[group]: group for group in GROUPS if group in first}
    if len(roots) < len(GROUPS):
        raise InputError(f"directory: expected the nouns {', '.join(GROUPS)} in its files")
    found = {}
    for word, synset in first.items():
        if WORD.fullmatch(word) and word in nouns.counted and synset not in roots:
            groups = [roots[above] for above in nouns.above(synset) if above in roots]
            if len(groups) == 1:
                found[word] = groups[0]
    return found


def _program() -> Any:
    dspy = require("dspy", "together")
    kinds, groups = tuple(KINDS), GROUPS

    class TwoHops(dspy.Module):  # type: ignore[misc, name-defined]
        """A word, its group, and the kind of that."""

        def __init__(self) -> None:
            super().__init__()
            first = {"word": (str, dspy.InputField()), "group": (Literal[groups], dspy.OutputField())}
            second = {"group": (str, dspy.InputField()), "kind": (Literal[kinds], dspy.OutputField())}
            self.group = dspy.Predict(dspy.Signature(first, "Name the group of things that a word is of."))
            self.kind = dspy.Predict(dspy.Signature(second, "Name the kind that a group of things is of."))

        def forward(self, word: str) -> Any:
            """The kind, by way of the group."""
            return self.kind(group=self.group(word=word).group)

    return TwoHops()
