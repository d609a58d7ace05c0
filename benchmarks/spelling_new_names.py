"""The table of docs/spelling.md on new names: what correctors repair, and what they make of names.

    python benchmarks/spelling_new_names.py

Misspellings of people (codespell, Wikipedia, Norvig) and synthetic ones (MS MARCO), of single words, the
English dictionary as the catalogue, and new names of npm packages, as spelling_odds.py has them: none was
fitted. Thresholds are chosen on as many other new names. Then questions of MS MARCO as a whole. Writes
benchmarks/results/spelling_new_names.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spelling_odds import CACHE, material
from spelling_peers import HunspellPeer, SymSpellPeer, english
from spelling_tables import questions, tell

from pyfastlm.cli import show
from pyfastlm.spelling import (
    Corrector,
    DoNothing,
    Pair,
    Speller,
    build_english,
    curve,
    evaluate,
    threshold_for,
)
from pyfastlm.spelling.evaluation.curve import Curve

RESULTS = Path(__file__).parent / "results" / "spelling_new_names.json"
RATES = (0.01, 0.02, 0.05, 0.1)
ALONG = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)  # of the curve
PEOPLE = ("codespell", "Wikipedia", "Norvig 1")
FEW = 80  # of each list for Hunspell, which takes long for a query in Python
MISSPELT = 0.12  # of a stream of queries whose others are new names


def judged(corrector: Corrector, lists: Mapping[str, Sequence[Pair]], novel: Sequence[str]) -> dict[str, Any]:
    """Recall on each list with its interval, F1 on people's together, new names that are changed."""
    reports = {name: evaluate(corrector, pairs, []) for name, pairs in lists.items()}
    people = evaluate(corrector, [pair for name in PEOPLE for pair in lists[name]], [], novel=novel)
    changed = people.novel_false_correction_rate
    return {
        "queries": {name: report.n for name, report in reports.items()},
        "names": people.n_novel,
        "recall": {name: report.recall for name, report in reports.items()},
        "interval": {name: report.intervals.recall for name, report in reports.items()},
        "precision": None if np.isnan(people.precision) else people.precision,
        "f1": people.f1,
        "changed": changed,
        "changed_interval": people.intervals.novel_false_correction_rate,
        "accuracy": MISSPELT * people.recall + (1 - MISSPELT) * (1 - changed),
        "ms": people.latency.mean,
    }


def along(speller: Speller, lists: Mapping[str, Sequence[Pair]], novel: Sequence[str]) -> dict[str, Any]:
    """Recall on each list where so many of the new names are changed."""
    found: dict[str, Any] = {}
    for name, pairs in lists.items():
        points: Curve = curve(evaluate(speller, pairs, [], novel=novel), on="novel")
        places = [int(np.searchsorted(points.thresholds, threshold_for(points, rate))) for rate in ALONG]
        found[name] = [float(points.recall[place]) for place in places]
    return found


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    dictionary = build_english(CACHE / "english")
    _, _, tuning, novel, lists = material({word for word, _ in english()})
    speller = Speller(dictionary)
    chosen = curve(evaluate(speller, lists["Norvig 1"], [], novel=tuning), on="novel")
    thresholds = {rate: threshold_for(chosen, rate) for rate in RATES}
    symspell = SymSpellPeer(english(), how="top")
    correctors: dict[str, Corrector] = {"do nothing": DoNothing(), "SymSpell, English": symspell}
    correctors |= {
        f"Speller, {rate:.0%}": Speller(dictionary, threshold=value) for rate, value in thresholds.items()
    }
    found: dict[str, Any] = {
        "thresholds": {f"{rate:.0%}": value for rate, value in thresholds.items()},
        "correctors": {name: judged(one, lists, novel) for name, one in correctors.items()},
        "curve": {"rates": ALONG, **along(speller, lists, novel)},
    }
    few = {name: pairs[:FEW] for name, pairs in lists.items()}
    found["few"] = {
        name: judged(one, few, novel[: 4 * FEW])
        for name, one in {"Hunspell": HunspellPeer(), "SymSpell, English": symspell}.items()
    }
    for title in ("correctors", "few"):
        first = next(iter(found[title].values()))
        show.table(
            f"{first['names']:,} new names; misspellings: {first['queries']}",
            ["corrector", "new changed", *lists, "F1, people", f"accuracy at {MISSPELT:.0%}", "ms"],
            [
                [
                    name,
                    f"{one['changed']:.1%}",
                    *(f"{recall:.3f}" for recall in one["recall"].values()),
                    f"{one['f1']:.3f}",
                    f"{one['accuracy']:.3f}",
                    f"{one['ms']:.2g}",
                ]
                for name, one in found[title].items()
            ],
        )
    show.table(
        "Recall where so many new names are changed",
        ["new changed", *lists],
        [
            [f"{rate:.1%}", *(f"{found['curve'][name][place]:.3f}" for name in lists)]
            for place, rate in enumerate(ALONG)
        ],
    )
    whole: dict[str, Corrector] = {
        "do nothing": DoNothing(),
        "SymSpell, words": SymSpellPeer(english(), how="words"),
        "SymSpell, compound": SymSpellPeer(english(), how="compound"),
        **{name: one for name, one in correctors.items() if name.startswith("Speller")},
    }
    task = questions(0)
    tell(
        "questions",
        {name: evaluate(one, task.pairs, task.clean) for name, one in whole.items()},
        found,
    )
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
