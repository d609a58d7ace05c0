"""The baselines of docs/spelling.md: what other correctors repair, and what they damage.

    python benchmarks/spelling_tables.py

Catalogue: names of Debian packages. Writes benchmarks/results/spelling_baselines.json. Needs `apt-get update`
once; the lists of people's misspellings are left out where they are not at hand.
"""

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spelling_names
from spelling_peers import HunspellPeer, RapidfuzzPeer, SymSpellPeer, english

from pyfastlm.cli import show
from pyfastlm.spelling import (
    Corrector,
    DoNothing,
    Pair,
    Report,
    brand_like,
    candidate_recall,
    evaluate,
    lowered,
    misspell,
    read_aligned,
    read_pairs,
    split,
)

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "spelling"
LISTS = {"codespell": "codespell.pairs.tsv", "Wikipedia": "wikipedia.txt", "Norvig 1": "spell-testset1.txt"}
RESULTS = Path(__file__).parent / "results" / "spelling_baselines.json"
CACHE = Path(tempfile.gettempdir()) / "pyfastlm-spelling"
SOME = 400  # queries of each sort
FEW = 40  # of each sort for Hunspell, which takes a second for a query in Python
HEADS = ("corrector", "P", "R", "R@10", "false", "new", "5 %", "12 %", "26 %", "ms")


@dataclass(frozen=True)
class Task:
    """Queries to correct: misspelt ones, right ones, and names that nobody has listed."""

    pairs: Sequence[Pair]
    clean: Sequence[str]
    novel: Sequence[str]


def shop(names: Sequence[str], seed: int) -> tuple[list[str], Task]:
    """A catalogue, and queries for it: names misspelt in all classes, right ones, and names held out."""
    # All names with the same first word together: what is held out is new to the catalogue.
    found = split(names, held_out=0.2, seed=seed, key=lambda name: name.split()[0])
    catalogue = [entry.name for entry in found.catalogue]
    drawn = random.Random(f"{seed} shop").sample(catalogue, 3 * SOME)
    pairs = list(misspell(drawn[: 2 * SOME], seed=seed, avoid=set(names)))
    brands = brand_like((entry.name for entry in found.novel), (word for word, _ in english()))
    return catalogue, Task(pairs, drawn[2 * SOME :], brands)


def people(words: Sequence[str], seed: int) -> dict[str, list[Pair]]:
    """Misspellings that people made of words that the dictionary has, in small letters."""
    known = set(words)
    found = {}
    for name, file in LISTS.items():
        pairs = [
            pair
            for pair in lowered(read_pairs(REAL / file))
            if pair.gold in known and pair.noisy != pair.gold
        ]
        found[name] = random.Random(f"{seed} {name}").sample(pairs, min(SOME, len(pairs)))
    return found


def questions(seed: int) -> Task:
    """Questions of MS MARCO with a letter wrong, and others as they were asked, in small letters."""
    files = (REAL / f"marco.queries.dev.small{typo}.tsv" for typo in (".typo1", ""))
    pairs = random.Random(f"{seed} marco").sample(lowered(read_aligned(*files)), 2 * SOME)
    return Task(pairs[:SOME], [pair.gold for pair in pairs[SOME:]], ())


def judged(correctors: Mapping[str, Corrector], task: Task) -> dict[str, Report]:
    return {
        name: evaluate(corrector, task.pairs, task.clean, novel=task.novel)
        for name, corrector in correctors.items()
    }


def tell(title: str, reports: Mapping[str, Report], found: dict[str, Any]) -> None:
    rows = []
    for name, report in reports.items():
        rates = (report.precision, report.recall, report.recall_at_k, report.false_correction_rate,
                 report.novel_false_correction_rate, *(row.accuracy for row in report.mixed))  # fmt: skip
        rows.append(
            [name, *(f"{rate:.2f}".replace("nan", "") for rate in rates), f"{report.latency.mean:.2g}"]
        )
    one = next(iter(reports.values()))
    show.table(f"{title}: {one.n} misspelt, {one.n_clean} right, {one.n_novel} new", HEADS, rows)
    found[title] = {name: report.as_dict() for name, report in reports.items()}


def tell_recall(
    title: str, peers: Mapping[str, Corrector], lists: Mapping[str, Sequence[Pair]], found: Any
) -> None:
    recalls = {
        name: [candidate_recall(peer.suggest, pairs) for pairs in lists.values()]
        for name, peer in peers.items()
    }
    cells = [
        [name, *(f"{recall.at_1:.3f} {recall.at_k:.3f}" for recall in row)] for name, row in recalls.items()
    ]
    show.table(f"{title}: recall at 1 and 10", ("corrector", *lists), cells)
    found[title] = {
        name: {of: [recall.n, recall.at_1, recall.at_k] for of, recall in zip(lists, row, strict=True)}
        for name, row in recalls.items()
    }


def main() -> None:
    found: dict[str, Any] = {}
    names = spelling_names.package_names()
    catalogue, task = shop(names, 0)
    print(f"catalogue: {len(catalogue):,} names")
    nothing, words = DoNothing(), SymSpellPeer(english(), how="top")
    known = SymSpellPeer([(name, 1) for name in catalogue])
    shops: dict[str, Corrector] = {
        "do nothing": nothing,
        "SymSpell, English": words,
        "compound, English": SymSpellPeer(english(), how="compound"),
        "SymSpell, names": known,
        "rapidfuzz, names": RapidfuzzPeer(catalogue),
    }
    tell("shop", judged(shops, task), found)
    few = Task(task.pairs[:FEW], task.clean[:FEW], task.novel[:FEW])
    slow: dict[str, Corrector] = {
        "do nothing": nothing,
        "Hunspell": HunspellPeer(),
        "SymSpell, English": words,
    }
    tell("shop, few", judged(slow, few), found)
    kinds = {
        kind: [pair for pair in task.pairs if pair.kind == kind]
        for kind in sorted({p.kind for p in task.pairs})
    }
    tell_recall("shop, by class", {name: shops[name] for name in list(shops)[3:]}, kinds, found)
    if not REAL.is_dir():
        print(f"left out: misspellings of people, {REAL} is not there")
        return
    american = sorted({word.lower() for word in spelling_names.american(CACHE)})
    peers: dict[str, Corrector] = {"SymSpell": SymSpellPeer([(word, 1) for word in american], how="all")}
    tell_recall("people", peers, people(american, 0), found)
    asked: dict[str, Corrector] = {name: shops[name] for name in ("do nothing", "compound, English")}
    tell("questions", judged(asked, questions(0)), found)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
