"""The table of docs/spelling.md on new names: what correctors repair, and what they make of names.

    python benchmarks/spelling_new_names.py
    python benchmarks/spelling_new_names.py hunspell    # minutes: adds Hunspell on fewer queries

Misspellings of people (codespell, Wikipedia, Norvig) and synthetic ones (MS MARCO), of single words, the
English dictionary as the catalogue, and new names of npm packages, as spelling_odds.py has them: none was
fitted. Thresholds are chosen on as many other new names. Then questions of MS MARCO as a whole. Writes
benchmarks/results/spelling_new_names.json.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spelling_odds import CACHE, material
from spelling_peers import HunspellPeer, SymSpellPeer, english
from spelling_tables import judged as judged_by
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
FEW = 25  # of each list for Hunspell, which takes long for a query in Python
TIMED = 300  # queries, at most
LENGTHS = ((1, 4), (5, 5), (6, 6), (7, 7), (8, 99))
MISSPELT = 0.12  # of a stream of queries whose others are new names


def judged(corrector: Corrector, lists: Mapping[str, Sequence[Pair]], novel: Sequence[str]) -> dict[str, Any]:
    """Recall on each list with its interval, F1 on people's together, new names that are changed."""
    # First: Hunspell's peer keeps the words that it has seen.
    taken = processor_ms(corrector, [pair.noisy for pair in lists["codespell"][:TIMED]])
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
        "ms": taken,
    }


def processor_ms(corrector: Corrector, queries: Sequence[str]) -> float:
    """Of single queries, in processor time: it does not depend on what else the machine does."""
    start = time.process_time()
    for query in queries:
        corrector.correct(query)
    return 1e3 * (time.process_time() - start) / len(queries)


def along(speller: Speller, lists: Mapping[str, Sequence[Pair]], novel: Sequence[str]) -> dict[str, Any]:
    """Recall on each list where so many of the new names are changed."""
    found: dict[str, Any] = {}
    for name, pairs in lists.items():
        points: Curve = curve(evaluate(speller, pairs, [], novel=novel), on="novel")
        places = [int(np.searchsorted(points.thresholds, threshold_for(points, rate))) for rate in ALONG]
        found[name] = [float(points.recall[place]) for place in places]
    return found


def by_length(corrector: Corrector, pairs: Sequence[Pair], novel: Sequence[str]) -> dict[str, Any]:
    """Recall, and new names that are changed, by how many letters were written."""
    found = {}
    for least, most in LENGTHS:
        some = [pair for pair in pairs if least <= len(pair.noisy) <= most]
        names = [name for name in novel if least <= len(name) <= most]
        report = evaluate(corrector, some, [], novel=names)
        changed = report.novel_false_correction_rate
        found[f"{least} to {most}"] = {
            "share": len(some) / len(pairs),
            "recall": report.recall,
            "changed": None if np.isnan(changed) else changed,
        }
    return found


def tell_rows(rows: Mapping[str, dict[str, Any]]) -> None:
    first = next(iter(rows.values()))
    show.table(
        f"{first['names']:,} new names; misspellings: {first['queries']}",
        ["corrector", "new changed", *first["recall"], "F1, people", f"accuracy at {MISSPELT:.0%}", "ms"],
        [
            [
                name,
                f"{one['changed']:.1%}",
                *(f"{recall:.3f}" for recall in one["recall"].values()),
                f"{one['f1']:.3f}",
                f"{one['accuracy']:.3f}",
                f"{one['ms']:.2g}",
            ]
            for name, one in rows.items()
        ],
    )


def main() -> None:
    CACHE.mkdir(exist_ok=True)
    dictionary = build_english(CACHE / "english")
    _, _, tuning, novel, lists = material({word for word, _ in english()})
    chosen = curve(evaluate(Speller(dictionary), lists["Norvig 1"], [], novel=tuning), on="novel")
    thresholds = {f"Speller, {rate:.0%}": threshold_for(chosen, rate) for rate in RATES}
    correctors: dict[str, Corrector] = {
        "do nothing": DoNothing(),
        "SymSpell, English": SymSpellPeer(english(), how="top"),
        **{name: Speller(dictionary, threshold=value) for name, value in thresholds.items()},
    }
    found: dict[str, Any]
    if sys.argv[1:] == ["hunspell"]:
        lists, novel = {name: pairs[:FEW] for name, pairs in lists.items()}, novel[: 4 * FEW]
        correctors["Hunspell"] = HunspellPeer()
        few = {name: judged(one, lists, novel) for name, one in correctors.items()}
        tell_rows(few)
        found = {**json.loads(RESULTS.read_text("utf-8")), "few": few}
    else:
        found = {
            "thresholds": thresholds,
            "correctors": {name: judged(one, lists, novel) for name, one in correctors.items()},
            "curve": {"rates": ALONG, **along(Speller(dictionary), lists, novel)},
        }
        tell_rows(found["correctors"])
        found["by length"] = {
            name: {of: by_length(correctors[name], lists[of], novel) for of in ("codespell", "MS MARCO")}
            for name in ("SymSpell, English", "Speller, 5%")
        }
        for name, of in found["by length"].items():
            show.table(
                f"{name}, by letters",
                ["list", "letters", "share", "recall", "new changed"],
                [
                    [which, length, *("" if value is None else f"{value:.3f}" for value in row.values())]
                    for which, rows in of.items()
                    for length, row in rows.items()
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
        correctors["SymSpell, English"] = SymSpellPeer(english(), how="words")
        correctors["SymSpell, compound"] = SymSpellPeer(english(), how="compound")
        tell("questions", judged_by(correctors, questions(0)), found)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
