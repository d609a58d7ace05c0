"""Tasks for curves of real models: tables of scikit-learn, and words of WordNet with what they name."""

import random
from pathlib import Path

from pyfastlm.demo import debian
from pyfastlm.icl import Example, Task

WORDNET = "wordnet-base"
NAMED = {5: "animal", 8: "body", 13: "food", 15: "place", 18: "person", 20: "plant"}  # by lexicographer file
FREQUENT = 3.2  # occurrences in a billion words, log10: "lobster", not "axolotl"
EACH = 160  # words of a kind
TABLES = ("iris", "wine", "breast_cancer")


def table(name: str) -> Task:
    """A table of scikit-learn: each row is numbers, and the name of its class."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    labels = tuple(str(label) for label in data.target_names)
    rows = zip(data.data[:, :4], data.target, strict=True)
    return Task(
        name,
        tuple(Example(" ".join(f"{value:.4g}" for value in row), labels[kind]) for row, kind in rows),
        labels=labels,
        question="{input} =",
        separator="\n",
    )


def words(cache: Path) -> Task:
    """Common nouns, and what their first meaning is: an animal, food, ...; as many of each."""
    return Task(
        "wordnet",
        tuple(Example(*line.split("\t")) for line in debian.kept(WORDNET, cache, _nouns)),
        labels=tuple(NAMED.values()),
        question="{input}:",
        separator="\n",
    )


def _nouns() -> list[str]:
    """A word and its kind, with a tab between them."""
    from wordfreq import zipf_frequency

    files = {Path(path).name: data.decode() for path, data in debian.members(WORDNET, ".noun")}
    lines = [line for line in files["data.noun"].splitlines() if line[:1].isdigit() and " @i " not in line]
    kinds = {line[:8]: int(line[9:11]) for line in lines}  # of all but single persons and places
    found: dict[str, list[str]] = {kind: [] for kind in NAMED.values()}
    for line in files["index.noun"].splitlines():
        fields = line.split()
        first = fields[6 + int(fields[3])] if not line.startswith(" ") else ""  # the most frequent meaning
        word, kind = fields[0], NAMED.get(kinds.get(first, -1))
        if kind and word.isalpha() and zipf_frequency(word, "en") > FREQUENT:
            found[kind].append(f"{word}\t{kind}")
    rng = random.Random(0)
    return [line for lines in found.values() for line in sorted(rng.sample(lines, EACH))]
