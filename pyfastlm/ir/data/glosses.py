"""Words and what they mean, from WordNet: find the definition of a word among those of its neighbours."""

import re
from collections import defaultdict

import numpy as np

from pyfastlm._wordnet import Nouns, read_nouns
from pyfastlm.errors import InputError
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.data.files import StrPath, as_path

WHERE = "/usr/share/wordnet"
WORD = re.compile("[a-z]{3,}")
SISTERS = 15  # definitions under the same hypernym that a pool has at most
FIRST, OTHER = 2, 1  # relevance of the most frequent meaning, and of the word's other ones


def wordnet_glosses(
    directory: StrPath = WHERE, *, queries: int = 150, pool: int = 50, spare: int = 1000, seed: int = 0
) -> Collection:
    """A task with free labels: the query is a noun, and its own definitions are relevant.

    Relevance is 2 for the most frequent meaning and 1 for the others. A pool has besides them definitions
    that lie under the same hypernym, and others drawn by ``seed``. The definition hardly ever has the word
    itself, so that words in common tell little.

    Args:
        directory: with ``data.noun`` and ``index.noun``, as Debian's package wordnet-base installs them.
        queries: how many nouns; single words that occur in the texts that WordNet's senses are counted in.
        pool: candidates of each.
        spare: definitions that are in no pool, and so can be trained on.
        seed: of what is drawn.

    Raises:
        InputError: the files are not there or damaged, or have too little for the numbers.
    """
    nouns = read_nouns(as_path(directory))
    rng = np.random.default_rng(seed)
    usable = sorted(
        word
        for word in nouns.counted
        if WORD.fullmatch(word) and len(nouns.senses[word]) < pool and _defined(nouns, nouns.senses[word])
    )
    everything = sorted(synset for synset, text in nouns.definitions.items() if text)
    if not 0 < queries <= len(usable):
        raise InputError(f"queries: expected 1 to {len(usable)}, got {queries}")
    if not (1 < pool <= len(everything) and 0 <= spare <= len(everything) - pool):
        raise InputError(
            f"pool, spare: expected at least 2 and at least 0, and {len(everything):,} at most together, "
            f"got {pool} and {spare}"
        )
    below = defaultdict(list)
    for synset in everything:
        for above in nouns.hypernyms.get(synset, ()):
            below[above].append(synset)
    words = [usable[number] for number in sorted(rng.permutation(len(usable))[:queries])]
    qrel: dict[str, dict[str, int]] = {}
    for word in words:
        senses = nouns.senses[word]
        judged = dict.fromkeys(senses, OTHER) | {senses[0]: FIRST}
        sisters = [each for above in nouns.hypernyms.get(senses[0], ()) for each in below[above]]
        rng.shuffle(sisters)
        for synset in sisters[:SISTERS]:
            if len(judged) < pool:
                judged.setdefault(synset, 0)
        while len(judged) < pool:
            judged.setdefault(everything[int(rng.integers(len(everything)))], 0)
        qrel[word] = dict(sorted(judged.items()))
    inside = {synset for judged in qrel.values() for synset in judged}
    outside = [synset for synset in everything if synset not in inside]
    kept = [outside[number] for number in rng.permutation(len(outside))[:spare]]
    corpus = {synset: nouns.definitions[synset] for synset in sorted([*inside, *kept])}
    return Collection("wordnet", {word: word for word in words}, corpus, qrel, pooled=True)


def _defined(nouns: Nouns, senses: tuple[str, ...]) -> bool:
    return all(nouns.definitions.get(sense) for sense in senses)
