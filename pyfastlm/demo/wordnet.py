"""Words and what they name, from WordNet (Debian package wordnet-base): a task to learn from examples."""

import random
from pathlib import Path

from pyfastlm.demo import debian, symspell
from pyfastlm.icl import Example, Task

PACKAGE = "wordnet-base"
NAMED = {5: "animal", 8: "body", 13: "food", 15: "place", 18: "person", 20: "plant"}  # by lexicographer file
FREQUENT = 15_000  # the words that are taken: "lobster", not "axolotl"
EACH = 120  # words of a kind


def words(cache: Path) -> Task:
    """Common nouns, and what their first meaning is: an animal, food, ...; as many of each.

    Raises:
        TextsMissing: the package, or symspellpy's counts of words, are not to be had.
    """
    return Task(
        "wordnet",
        tuple(Example(*line.split("\t")) for line in debian.kept(PACKAGE, cache, _nouns)),
        labels=tuple(NAMED.values()),
        question="{input}:",
        separator="\n",
    )


def _nouns() -> list[str]:
    """A word and its kind, with a tab between them."""
    frequent = {word for word, _ in symspell.english()[:FREQUENT]}
    files = {Path(path).name: data.decode() for path, data in debian.members(PACKAGE, ".noun")}
    senses = [line for line in files["data.noun"].splitlines() if line[:1].isdigit() and " @i " not in line]
    kinds = {line[:8]: int(line[9:11]) for line in senses}  # of all but single persons and places
    found: dict[str, list[str]] = {kind: [] for kind in NAMED.values()}
    for line in files["index.noun"].splitlines():
        fields = line.split()
        first = fields[6 + int(fields[3])] if not line.startswith(" ") else ""  # the most frequent meaning
        word, kind = fields[0], NAMED.get(kinds.get(first, -1))
        if kind and word in frequent:
            found[kind].append(f"{word}\t{kind}")
    rng = random.Random(0)
    return [line for lines in found.values() for line in sorted(rng.sample(lines, min(EACH, len(lines))))]
