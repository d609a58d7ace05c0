"""Held-out tasks: choices among texts, the right one against wrong ones, by bits per byte."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

from selection_domains import Domain

from pyfastlm.demo.tasks import WRONG, Hashes, Item, Task, cloze, hashes, met

# Fixed before any model was trained.
CLOZE = (
    "anarchism", "c library", "foldoc", "fortunes computers", "fortunes songs-poems", "freebsd kernel",
    "office help", "packages python", "perl functions", "postgresql sql", "python library", "wordnet nouns",
)  # fmt: skip
PROSE = ("anarchism", "foldoc", "fortunes cookie", "fortunes people", "fortunes science", "jargon")
LAST_WORD, SPELLING = "last word", "spelling"
ITEMS = 240  # of a task
PAIRS = Path(__file__).resolve().parents[2] / "shared" / "data" / "spelling" / "codespell.pairs.tsv"


def make(domains: Sequence[Domain], seed: int) -> list[Task]:
    """The tasks whose texts are at hand."""
    known = hashes(
        [text for d in domains for part in ("training", "matrix", "pool") for text in d.parts[part]]
    )
    by_name = {domain.name: domain for domain in domains}
    tasks = [
        cloze(name, by_name[name].parts["tasks"], known, ITEMS, seed) for name in CLOZE if name in by_name
    ]
    tasks.append(_last_word([by_name[name] for name in PROSE if name in by_name], known, seed))
    if PAIRS.exists():
        tasks.append(_spelling(seed))
    return tasks


def _last_word(domains: Sequence[Domain], known: Hashes, seed: int) -> Task:
    rng = random.Random(f"{seed} last word")
    found = [
        (match[1].strip(), " " + match[2])
        for domain in domains
        for text in domain.parts["tasks"]
        for match in re.finditer(r"([^.?!]{60,160}) ([a-z]{4,12})[.?!] ", " ".join(text.split()))
    ]
    rng.shuffle(found)
    new = [pair for pair in found if not met("".join(pair), known)]
    items = []
    for context, right in new[:ITEMS]:
        others = {word for _, word in new if word != right and abs(len(word) - len(right)) <= 1}
        items.append(Item(context, (right, *rng.sample(sorted(others), WRONG))))
    return Task(LAST_WORD, tuple(items), 1 - len(new) / len(found), tuple(d.name for d in domains))


def spelling_pairs() -> list[tuple[str, str]]:
    """(right, wrong) words."""
    rows = [line.split("\t") for line in PAIRS.read_text("utf-8").splitlines()]
    return [(right, wrong) for wrong, right in rows if wrong.isascii() and right.isalpha() and len(right) > 4]


def _spelling(seed: int) -> Task:
    drawn = random.Random(f"{seed} spelling").sample(spelling_pairs(), ITEMS)
    return Task(SPELLING, tuple(Item("", pair) for pair in drawn), 0.0, ())
