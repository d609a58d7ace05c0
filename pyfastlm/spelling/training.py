"""Fits the odds of a speller to a catalogue, and chooses the threshold for a rate of false corrections."""

import os
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.index import Similar, TermIndex
from pyfastlm.index.normalize import nfkc_casefold
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling.candidates.odds import Odds, english_odds, fit_odds
from pyfastlm.spelling.candidates.options import Lexicon
from pyfastlm.spelling.candidates.units import Unit, parts_of, whole_of
from pyfastlm.spelling.candidates.weighing import SHORTEST
from pyfastlm.spelling.catalogue.entry import Entry, entries_of
from pyfastlm.spelling.catalogue.splitting import split
from pyfastlm.spelling.evaluation.curve import curve, threshold_for
from pyfastlm.spelling.evaluation.evaluating import evaluate
from pyfastlm.spelling.evaluation.report import Report
from pyfastlm.spelling.noise.misspelling import misspell
from pyfastlm.spelling.pair import Pair
from pyfastlm.spelling.speller import THRESHOLD, Speller

MOST = 20_000  # names that are misspelt, and new names
FEWEST = 20  # of each part, below which nothing can be said
ROUNDS = 3  # of choosing a threshold: where several words change, the margin depends on it


class Part(NamedTuple):
    """Names misspelt, names that are in the catalogue, and new names."""

    pairs: list[Pair]
    clean: list[str]
    novel: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Odds of a catalogue: ``Speller(index, odds=trained.odds, threshold=trained.threshold)``.

    Attributes:
        odds: fitted.
        threshold: with which about ``rate`` of the new names of the development part are changed.
        rate: of false corrections, as it was asked for.
        examples: texts that the odds were fitted to: queries, their words, and neighbours as one word.
        development: misspellings and new names that the threshold was chosen on.
        report: of the test part, which was used for nothing else, with these odds and this threshold.
        default: of the same queries with the odds for English, their threshold chosen in the same way.
    """

    odds: Odds
    threshold: float
    rate: float
    examples: int
    development: tuple[int, int]
    report: Report
    default: Report


def train(
    names: Iterable[str | tuple[str, float]],
    *,
    english: TermIndex | str | os.PathLike[str] | None = None,
    rate: float = 0.05,
    held_out: float = 0.3,
    most: int = MOST,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> Trained:
    """Fit the odds to a catalogue of one's own; nothing is needed but its names.

    A share of the names is held out: they play the new ones. The others make an index, and some of them are
    misspelt (:func:`misspell`). Half of both sorts is for fitting, a quarter for the threshold, a quarter for
    the report; which name goes where is drawn by its hash. Misspellings are made up: people make others, so
    measure on queries of your own where you have them.

    Args:
        names: of the catalogue, or pairs (name, popularity). They are compared in NFKC, case folded.
        english: a dictionary that the speller will have beside it, with ``similar=True``, or its path.
        rate: share of new names that may be changed, more than 0 and less than 1.
        held_out: share of the names that are taken for new ones.
        most: how many names are misspelt, and how many new ones are asked, at most; drawn evenly.
        seed: equal seeds give equal odds.
        threads: for batches.
        progress: show bars on standard error.

    Raises:
        InputError: there are too few names, or an argument is not what it should be.
        MissingExtra: scikit-learn is not installed.
    """
    require("sklearn.linear_model", "spelling")
    if not 0 < rate < 1:
        raise InputError(f"rate: expected a number between 0 and 1, got {rate!r}")
    for name, value, least in (("most", most, 4 * FEWEST), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name}: expected a whole number >= {least}, got {value!r}")
    known, new = split(_once(names), held_out=held_out, seed=seed)
    fitting, development, test = _parts(known, new, most, seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        path = Path(directory) / "names"
        index = TermIndex.build(known, path, normalizer="nfkc_casefold", similar=True)
        dictionary = Speller(index, english=english).english  # opened, and refused before the work
        texts, options, right = _examples(Lexicon(index, dictionary, COSTS, WEIGHTS), fitting, threads)
        odds = fit_odds(texts, options, right)

        def judged(odds: Odds) -> tuple[float, Report]:
            threshold = THRESHOLD
            for _ in range(ROUNDS):
                speller = Speller(index, english=dictionary, odds=odds, threshold=threshold, threads=threads)
                threshold = _threshold(speller, development, rate, progress)
            speller = Speller(index, english=dictionary, odds=odds, threshold=threshold, threads=threads)
            report = evaluate(speller, test.pairs, test.clean, novel=test.novel, seed=seed, progress=progress)
            return threshold, report

        threshold, report = judged(odds)
        default = judged(english_odds())[1]
    return Trained(
        odds=odds,
        threshold=threshold,
        rate=rate,
        examples=len(texts),
        development=(len(development.pairs), len(development.novel)),
        report=report,
        default=default,
    )


def _once(names: Iterable[str | tuple[str, float]]) -> list[Entry]:
    """Each name once, sorted, in the form in which it is compared, with the sum of its popularities."""
    found: dict[str, float] = {}
    for name, popularity in entries_of(names):
        text = nfkc_casefold(name).strip()
        if text:
            found[text] = found.get(text, 0.0) + popularity
    return [Entry(*item) for item in sorted(found.items())]


def _parts(known: Sequence[Entry], new: Sequence[Entry], most: int, seed: int) -> list[Part]:
    """For fitting, for the threshold, and for the report."""
    names = {entry.name for entry in (*known, *new)}
    sides = [_divided(_some(entries, most, seed), seed) for entries in (known, new)]
    parts = []
    for of_known, of_new in zip(*sides, strict=True):
        clean = [entry.name for entry in of_known]
        # A new name with nothing to correct in it is no question.
        novel = [entry.name for entry in of_new if whole_of(entry.name)]
        parts.append(Part(list(misspell(clean, seed=seed, avoid=names)), clean, novel))
    fewest = min(min(len(part.pairs), len(part.novel)) for part in parts)
    if fewest < FEWEST:
        raise InputError(
            f"names: expected enough for {FEWEST} misspellings and {FEWEST} new names in each part, got "
            f"{len(names):,} names, which give {fewest}"
        )
    return parts


def _some(entries: Sequence[Entry], most: int, seed: int) -> Sequence[Entry]:
    if len(entries) <= most:
        return entries
    return random.Random(f"{seed} train").sample(sorted(entries), most)


def _divided(entries: Sequence[Entry], seed: int) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """Half, a quarter and a quarter, by the hash of the name."""
    first, others = split(entries, held_out=0.5, seed=seed + 1)
    return first, *split(others, held_out=0.5, seed=seed + 2)


def _examples(
    lexicon: Lexicon, part: Part, threads: int | None
) -> tuple[list[str], list[Sequence[Similar]], list[bool]]:
    """What a speller would ask the odds about, and whether the best option is right."""
    asked = [*((pair.noisy, pair.gold) for pair in part.pairs), *((name, name) for name in part.novel)]
    units = [found for query, gold in asked for found in _units(nfkc_casefold(query).strip(), gold)]
    of_texts = lexicon.options([unit for unit, _ in units], threads)
    texts: list[str] = []
    options: list[Sequence[Similar]] = []
    right: list[bool] = []
    for unit, meant in units:
        found = of_texts[unit.text, unit.joined]
        if found.terms and not found.known and len(unit.text) >= SHORTEST:
            texts.append(unit.text)
            options.append(found.terms)
            right.append(found.terms[0].term == meant)
    return texts, options, right


def _units(query: str, gold: str) -> Iterator[tuple[Unit, str]]:
    """The units of a query with what was meant, where nothing else in the query is wrong."""
    whole = whole_of(query)
    if whole is None:
        return
    words, meant = query.split(" "), gold.split(" ")
    for unit in (whole, *parts_of(query)):
        end = len(meant) - (len(words) - unit.last)
        if words[: unit.first] == meant[: unit.first] and words[unit.last :] == meant[max(end, 0) :]:
            yield unit, " ".join(meant[unit.first : end])


def _threshold(speller: Speller, part: Part, rate: float, progress: bool) -> float:
    along = curve(evaluate(speller, part.pairs, [], novel=part.novel, progress=progress), on="novel")
    threshold = threshold_for(along, rate)
    if threshold > along.thresholds[0]:
        return threshold
    # Everything may be changed: the lowest margin is not low enough.
    return float(along.thresholds[1]) - 1.0 if len(along.thresholds) > 1 else THRESHOLD
