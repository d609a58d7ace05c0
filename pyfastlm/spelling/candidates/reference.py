"""What whole queries may have meant, in plain Python: what the native form is compared with."""

import math
from collections.abc import Collection, Mapping, Sequence

from pyfastlm.spelling.candidates.assembly import Change, assembled
from pyfastlm.spelling.candidates.odds import Odds
from pyfastlm.spelling.candidates.options import Lexicon, Options
from pyfastlm.spelling.candidates.units import Unit, parts_of, whole_of
from pyfastlm.spelling.candidates.weighing import KNOWN, SHORTEST, SURE
from pyfastlm.spelling.correction import Candidate


def weighed(
    lexicon: Lexicon,
    odds: Odds,
    exclude: Collection[str],
    queries: Sequence[str],
    width: int,
    *,
    threshold: float,
    near: float = -math.inf,
    threads: int | None = 1,
) -> list[list[Candidate]]:
    """What :meth:`Weighing.candidates` gives: arguments as for that and for :class:`Weighing`."""

    def changes(unit: Unit) -> list[Change]:
        return _changes(unit, options, odds, threshold, set(exclude))

    wholes = [None if query in exclude else whole_of(query) for query in queries]
    options = lexicon.options([unit for unit in wholes if unit is not None], threads)
    of_wholes = [[] if unit is None else changes(unit) for unit in wholes]
    parts = [
        []
        if unit is None or options[unit.text, False].catalogued or _ends(of_whole, near)
        else parts_of(unit.text)
        for unit, of_whole in zip(wholes, of_wholes, strict=True)
    ]
    options |= lexicon.options([unit for found in parts for unit in found], threads)
    found = []
    for query, units, of_whole in zip(queries, parts, of_wholes, strict=True):
        words = query.split(" ")
        of_parts = {(unit.first, unit.last): changes(unit) for unit in units}
        all_of_it = 0, len(words)  # of two words there is a pair as well
        of_parts[all_of_it] = [*of_whole, *of_parts.get(all_of_it, ())]
        found.append(assembled(words, of_parts, width))
    return found


def _changes(
    unit: Unit,
    of_units: Mapping[tuple[str, bool], Options],
    odds: Odds,
    threshold: float,
    exclude: set[str],
) -> list[Change]:
    options = of_units[unit.text, unit.joined]
    if not options.terms or options.catalogued or len(unit.text) < SHORTEST:
        return []
    known = options.known
    if unit.joined:  # two words that are known
        parts = [of_units.get((word, False)) for word in unit.text.split(" ")]
        known = all(part is None or part.known for part in parts)
    gain = odds(unit.text, options.terms) - threshold - KNOWN * known
    best = options.terms[0].fit
    kept = exclude.intersection(unit.text.split(" "))
    return [
        Change(one.term, gain + one.fit - best, one.cost)
        for one in options.terms
        if kept.issubset(one.term.split(" "))
    ]


def _ends(of_whole: Sequence[Change], near: float) -> bool:
    """Whether the catalogue has a name for all of a query, so that its words need no look."""
    return bool(of_whole) and (of_whole[0].gain > SURE or of_whole[0].cost <= near)
