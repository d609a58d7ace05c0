"""Fits the default odds of a speller, and says how well they tell misspellings from new names.

    python benchmarks/spelling_odds.py

Misspellings: people's, from codespell, of words that symspellpy's English dictionary has; half of the words
are for fitting. New names: those of npm packages that are one word of 5 to 14 letters, which that dictionary
does not have; half for fitting. Writes pyfastlm/spelling/candidates/odds.json and prints the curve on the
other halves, on Wikipedia's and Norvig's lists, and on MS MARCO's synthetic typos.
spelling_new_names.py judges them beside other correctors.
"""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import spelling_names
from spelling_peers import SymSpellPeer, english

from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling import (
    Pair,
    Speller,
    brand_like,
    build_english,
    curve,
    evaluate,
    lowered,
    read_aligned,
    read_pairs,
    split,
    threshold_for,
)
from pyfastlm.spelling.candidates.odds import fit_odds
from pyfastlm.spelling.candidates.options import Lexicon
from pyfastlm.spelling.candidates.units import Unit

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "spelling"
ODDS = Path(__file__).resolve().parents[1] / "pyfastlm" / "spelling" / "candidates" / "odds.json"
CACHE = Path(tempfile.gettempdir()) / "pyfastlm-spelling"
FITTED, TESTED = 20_000, 1_500
NEW = 40_000
RATES = (0.01, 0.02, 0.05, 0.1, 0.2)


def single(pairs: Sequence[Pair], words: set[str]) -> list[Pair]:
    """Those of one word that the dictionary has, written as one word that it does not have."""
    kept = {pair for pair in lowered(pairs) if pair.gold in words and pair.noisy not in words}
    return sorted(pair for pair in kept if " " not in pair.noisy)


def typos() -> list[Pair]:
    """The one word that is another in each of MS MARCO's queries."""
    found = []
    for pair in lowered(
        read_aligned(REAL / "marco.queries.dev.small.typo1.tsv", REAL / "marco.queries.dev.small.tsv")
    ):
        written, meant = pair.noisy.split(), pair.gold.split()
        if len(written) == len(meant):
            found += [Pair(a, b) for a, b in zip(written, meant, strict=True) if a != b]
    return found


class Material(NamedTuple):
    """What is fitted, what a threshold is chosen on, and what is judged: no word and no name is in two."""

    fitted: list[Pair]
    names: list[str]
    tuning: list[str]
    novel: list[str]
    lists: dict[str, list[Pair]]


def material(words: set[str]) -> Material:
    """Misspellings of ``words``, and names that are none of them."""
    codespell = single(read_pairs(REAL / "codespell.pairs.tsv"), words)
    for_fitting = {entry.name for entry in split({pair.gold for pair in codespell}, held_out=0.5).catalogue}
    new = split(brand_like(spelling_names.npm_names(CACHE), words), held_out=0.5)
    rng = random.Random(0)
    fitted = rng.sample([pair for pair in codespell if pair.gold in for_fitting], FITTED)
    names = rng.sample([entry.name for entry in new.catalogue], NEW)
    others = rng.sample([entry.name for entry in new.novel], 4 * TESTED)

    def some(pairs: list[Pair]) -> list[Pair]:
        return rng.sample(pairs, min(TESTED, len(pairs)))

    lists = {
        "codespell": some([pair for pair in codespell if pair.gold not in for_fitting]),
        "Wikipedia": some(single(read_pairs(REAL / "wikipedia.txt"), words)),
        "Norvig 1": single(read_pairs(REAL / "spell-testset1.txt"), words),
        "MS MARCO": some(single(typos(), words)),
    }
    return Material(fitted, names, others[: 2 * TESTED], others[2 * TESTED :], lists)


def main() -> None:
    words = {word for word, _ in english()}
    CACHE.mkdir(exist_ok=True)
    dictionary = build_english(CACHE / "english")
    fitted, names, _, novel, lists = material(words)
    texts = [pair.noisy for pair in fitted] + names
    lexicon = Lexicon(dictionary, None, COSTS, WEIGHTS)
    of_texts = lexicon.options([Unit(text, 0, 1) for text in texts], None)
    options = [of_texts[text, False].terms for text in texts]
    right = [bool(found) and found[0].term == pair.gold for found, pair in zip(options, fitted, strict=False)]
    odds = fit_odds(texts, options, right + [False] * NEW)
    ODDS.write_text(json.dumps(odds.as_dict(), indent=1) + "\n")

    peer, ours = SymSpellPeer(english(), how="top"), Speller(dictionary, odds=odds)
    print(f"{'list':<10} {'queries':>7} {'SymSpell':>8}", *(f"{rate:>7.0%}" for rate in RATES))
    for name, pairs in lists.items():
        report = evaluate(ours, pairs, [], novel=novel)
        along = curve(report, on="novel")
        recalls = []
        for rate in RATES:
            place = int(np.searchsorted(along.thresholds, threshold_for(along, rate)))
            recalls.append(f"{along.recall[place]:7.3f}")
        print(f"{name:<10} {len(pairs):>7} {evaluate(peer, pairs, []).recall:>8.3f}", *recalls)
    report = evaluate(peer, lists["Norvig 1"], [], novel=novel)
    print(f"SymSpell changes {report.novel_false_correction_rate:.1%} of {len(novel):,} new names")
    for rate in RATES:
        print(f"{rate:.0%} of new names are changed above {threshold_for(along, rate):.2f}")


if __name__ == "__main__":
    main()
