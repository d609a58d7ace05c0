"""Misspelt names of a real catalogue, and what correctors do to names that nobody has listed."""

import math
import random
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyfastlm.demo.symspell import SymSpellPeer
from pyfastlm.errors import MissingExtra
from pyfastlm.index import TermIndex
from pyfastlm.spelling import (
    Corrector,
    DoNothing,
    Odds,
    Pair,
    Report,
    Speller,
    brand_like,
    curve,
    evaluate,
    misspell,
    split,
    threshold_for,
    train,
)

HELD_OUT = 0.25  # of the names
RATE = 0.05  # of new names that may be changed
SHORTEST = 5  # letters of a name that is misspelt
SHOWN = 3  # examples of each sort
SORTS = ("misspelt", "right", "new")
ROUNDS = 3  # of choosing a threshold, on which margins depend somewhat
NOTHING, ENGLISH, NAMES = "do nothing", "SymSpell, English", "SymSpell, names"
OURS, FITTED = "Speller", "Speller, fitted"


@dataclass(frozen=True, slots=True)
class Size:
    """Names and words of English, at most; queries of each sort, to judge and as many to tune on; names that
    odds are fitted to, 0 for none."""

    names: int
    words: int
    queries: int
    fitted: int


QUICK = Size(20_000, 20_000, 250, 0)
SHORT = Size(40_000, 90_000, 500, 1_000)
FULL = Size(100_000, 90_000, 2_000, 8_000)


@dataclass(frozen=True, slots=True)
class Example:
    """A query of a sort, what was meant, and what each corrector made of it."""

    sort: str
    query: str
    meant: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Added:
    """New names that were changed, and how many still were after they had been added.

    ``name`` is one of them, which became ``before``; with it in the catalogue it is ``after``. Adding it took
    ``microseconds``.
    """

    changed: int
    still: int
    name: str
    before: str
    after: str
    microseconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Correctors:
    """The section: correctors by their names, on the same queries.

    ``thresholds`` are those of the spellers, chosen on other queries; ``bytes_per_name`` and
    ``build_seconds`` are of their index. ``added`` is of the last one, None where it changed no new name.
    ``missing`` says why there are no fitted odds, where there could be.
    """

    names: int
    words: int
    bytes_per_name: float
    build_seconds: float
    thresholds: Mapping[str, float]
    reports: Mapping[str, Report]
    examples: tuple[Example, ...]
    added: Added | None
    missing: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Part:
    """Queries: misspelt names, right ones, and names that neither the catalogue nor the dictionary has."""

    pairs: Sequence[Pair]
    clean: Sequence[str]
    novel: Sequence[str]


def correct(
    names: Sequence[str],
    english: Sequence[tuple[str, float]],
    *,
    size: Size,
    seed: int,
    progress: bool = False,
) -> Correctors:
    """Hold names out, misspell others, and ask all correctors about both.

    Args:
        names: such as those of packages; those with the same first word are held out together.
        english: words with counts, the most frequent first.
        size: how many of all.
        seed: of every draw.
        progress: show bars on standard error.
    """
    started = time.perf_counter()
    words = english[: size.words]
    drawn = _some(names, size.names, f"{seed} names")
    catalogue, tuning, part = _parts(drawn, [word for word, _ in words], size.queries, seed)
    with tempfile.TemporaryDirectory() as directory:
        begun = time.perf_counter()
        index = _index(((name, 1.0) for name in catalogue), Path(directory) / "names")
        built = time.perf_counter() - begun
        per_name = (Path(directory) / "names").stat().st_size / len(index)
        dictionary = _index(words, Path(directory) / "english")
        spellers, missing = {OURS: _tuned(index, dictionary, None, tuning)}, ""
        if size.fitted:
            # Not those that are judged by: their misspellings would be among those that odds are fitted to.
            judged = {pair.gold for pair in part.pairs}
            others = [name for name in catalogue if name not in judged]
            try:
                odds = train(others, english=dictionary, rate=RATE, most=size.fitted, seed=seed).odds
                spellers[FITTED] = _tuned(index, dictionary, odds, tuning)
            except MissingExtra as error:
                missing = str(error)
        correctors: dict[str, Corrector] = {
            NOTHING: DoNothing(),
            ENGLISH: SymSpellPeer(words, how="words"),
            NAMES: SymSpellPeer((name, 1.0) for name in catalogue),
            **spellers,
        }
        reports = {
            name: evaluate(one, part.pairs, part.clean, novel=part.novel, seed=seed, progress=progress)
            for name, one in correctors.items()
        }
        examples = tuple(_examples(part, [*correctors.values()]))
        added = _added([*spellers.values()][-1], part.novel)
    return Correctors(
        names=len(catalogue),
        words=len(words),
        bytes_per_name=per_name,
        build_seconds=built,
        thresholds={name: speller.threshold for name, speller in spellers.items()},
        reports=reports,
        examples=examples,
        added=added,
        missing=missing,
        seconds=time.perf_counter() - started,
    )


def _parts(names: Sequence[str], words: Sequence[str], count: int, seed: int) -> tuple[list[str], Part, Part]:
    """The catalogue, queries to choose a threshold on, and queries to judge by; no text is in both."""
    found = split(names, held_out=HELD_OUT, seed=seed, key=lambda name: name.split()[0])
    catalogue = [entry.name for entry in found.catalogue]
    listed = {word for name in catalogue for word in name.split()}
    brands = brand_like((entry.name for entry in found.novel), words)
    novel = _some([name for name in brands if name not in listed], 2 * count, f"{seed} new")
    to_misspell = [name for name in catalogue if len(name) >= SHORTEST]
    meant = _some(to_misspell, 2 * count, f"{seed} meant")
    # Half of the right queries are names of the catalogue, half are words of English.
    clean = [*_some(catalogue, count, f"{seed} clean"), *_some(words, count, f"{seed} words")]
    random.Random(f"{seed} order").shuffle(clean)
    avoid = {*names, *words}

    def part(each: int) -> Part:
        pairs = list(misspell(meant[each::2], seed=seed, avoid=avoid))
        return Part(pairs, clean[each::2], novel[each::2])

    return catalogue, part(0), part(1)


def _tuned(index: TermIndex, english: TermIndex, odds: Odds | None, tuning: Part) -> Speller:
    """A speller that changes a share of ``RATE`` of the new names to tune on, or less."""
    speller = Speller(index, english=english, odds=odds)
    for _ in range(ROUNDS):
        along = curve(evaluate(speller, tuning.pairs, [], novel=tuning.novel), on="novel")
        threshold = threshold_for(along, RATE)
        if not math.isfinite(threshold):  # all may be changed
            break
        speller = Speller(index, english=english, odds=odds, threshold=threshold)
    return speller


def _examples(part: Part, correctors: Sequence[Corrector]) -> list[Example]:
    """The first queries of each sort, as they were drawn."""
    asked = [("misspelt", *pair[:2]) for pair in part.pairs[:SHOWN]]
    asked += [("right", query, query) for query in part.clean[:SHOWN]]
    asked += [("new", query, query) for query in part.novel[:SHOWN]]
    return [
        Example(sort, query, meant, tuple(one.correct(query).text for one in correctors))
        for sort, query, meant in asked
    ]


def _added(speller: Speller, novel: Sequence[str]) -> Added | None:
    """Add every new name that is changed, and ask again."""
    found = [
        (name, one.text) for name, one in zip(novel, speller.correct_all(novel), strict=True) if one.changed
    ]
    if not found:
        return None
    spent = 0.0
    for place, (name, _) in enumerate(found):
        begun = time.perf_counter()
        speller.index.add(name, 1.0)
        spent = spent if place else 1e6 * (time.perf_counter() - begun)
    again = speller.correct_all([name for name, _ in found])
    (name, before), after = found[0], again[0].text
    return Added(len(found), sum(one.changed for one in again), name, before, after, spent)


def _index(terms: Iterable[tuple[str, float]], path: Path) -> TermIndex:
    return TermIndex.build(terms, path, normalizer="nfkc_casefold", duplicates="max", similar=True)


def _some(texts: Sequence[str], count: int, seed: str) -> list[str]:
    return random.Random(seed).sample(texts, min(count, len(texts)))
