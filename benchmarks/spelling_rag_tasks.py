"""Queries of the tables of retrieval-augmented correction: to train on, to tune on, to judge by.

No text that was meant is in two of these parts, and new names are no words of the catalogue.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import spelling_names
from spelling_peers import english

from pyfastlm.spelling import Pair, brand_like, lowered, misspell, read_pairs, split

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "spelling"
LISTS = ("codespell.pairs.tsv", "wikipedia.txt", "spell-testset1.txt")
HELD_OUT = 0.2
PARTS = ("train", "tune", "judge")


@dataclass(frozen=True)
class Part:
    """Misspelt queries, queries that are right, and right ones that are not in the catalogue."""

    pairs: Sequence[Pair]
    clean: Sequence[str]
    novel: Sequence[str]

    @property
    def queries(self) -> list[str]:
        return [*(pair.noisy for pair in self.pairs), *self.clean, *self.novel]

    @property
    def golds(self) -> list[str]:
        return [*(pair.gold for pair in self.pairs), *self.clean, *self.novel]


@dataclass(frozen=True)
class Task:
    name: str
    catalogue: Sequence[str]
    parts: dict[str, Part]

    @property
    def digest(self) -> str:
        """Of all texts."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def shop(sizes: Sequence[int], seed: int) -> Task:
    """Names of packages with errors of all classes; new names are single words that look like brands."""
    names = spelling_names.package_names()
    found = split(names, held_out=HELD_OUT, seed=seed, key=lambda name: name.split()[0])
    catalogue = [entry.name for entry in found.catalogue]
    drawn = random.Random(f"{seed} shop").sample(
        [name for name in catalogue if len(name) > 4], 2 * sum(sizes)
    )
    brands = brand_like((entry.name for entry in found.novel), (word for word, _ in english()), seed=seed)
    listed = {word for name in catalogue for word in name.split()}
    brands = [name for name in brands if name not in listed]
    random.Random(f"{seed} brands").shuffle(brands)
    avoid = set(names)
    parts = {}
    for name, size in zip(PARTS, sizes, strict=True):
        noisy, clean, novel = _take(drawn, size), _take(drawn, size), _take(brands, size)
        pairs = list(misspell(noisy, seed=seed, avoid=avoid))
        if name == "train":  # also words that nobody has listed
            pairs += misspell(novel, seed=seed, avoid=avoid)
        parts[name] = Part(pairs, clean, novel)
    return Task("shop", catalogue, parts)


def people(sizes: Sequence[int], seed: int) -> Task:
    """What people misspelt: the catalogue is of the words they meant, without a part of them."""
    pairs = [pair for file in LISTS for pair in lowered(read_pairs(REAL / file)) if pair.noisy != pair.gold]
    words = sorted({pair.gold for pair in pairs})
    found = split(words, held_out=HELD_OUT, seed=seed)
    known = [entry.name for entry in found.catalogue]
    novel = [entry.name for entry in found.novel]
    catalogue = set(known)
    for some in (pairs, known, novel):
        random.Random(f"{seed} people").shuffle(some)  # type: ignore[arg-type]
    clean = list(known)
    used: set[str] = set()
    parts = {}
    for name, size in zip(PARTS, sizes, strict=True):
        # Misspellings of words that are not in the catalogue are among them: nobody can list all words.
        taken: list[Pair] = []
        while len(taken) < size:
            pair = pairs.pop()
            if pair.gold not in used and pair.noisy not in catalogue:
                used.add(pair.gold)
                taken.append(pair._replace(kind="known" if pair.gold in catalogue else "unknown"))
        right = [word for word in _take(clean, 2 * size) if word not in used][:size]
        parts[name] = Part(taken, right, [word for word in _take(novel, size) if word not in used])
    return Task("people", known, parts)


def _take(texts: list[str], count: int) -> list[str]:
    taken, texts[:] = texts[:count], texts[count:]
    return taken
