"""A corrector that knows the catalogue."""

import math
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.index import EditCosts, TermIndex, Weights
from pyfastlm.index.term_index import COSTS, WEIGHTS
from pyfastlm.spelling.candidates.assembly import Change, assembled
from pyfastlm.spelling.candidates.odds import Odds, english_odds
from pyfastlm.spelling.candidates.options import Lexicon, Options
from pyfastlm.spelling.candidates.units import Unit, parts_of, whole_of
from pyfastlm.spelling.context.fuzzy import Fuzzy, resembling
from pyfastlm.spelling.context.retriever import Retriever
from pyfastlm.spelling.correction import Candidate, Correction
from pyfastlm.spelling.deciding.decider import Decider

if TYPE_CHECKING:
    from pyfastlm.lm.loading import LMLike

CANDIDATES = 10  # of a correction, besides the query
NAMES = 10  # of the catalogue, that a language model reads
KNOWN = 8.0  # log-odds against changing a word of the dictionary
SURE = 3.0  # log-odds, over the threshold, above which a name for all of a query ends the search
NEAR = 2.0  # the cost of such a name at which suggestions look at no words: two slips or more
SHORTEST = 3  # code points of a word that is changed
# With the odds for English: 5 % of names that nobody knows are changed (docs/spelling.md).
THRESHOLD = -0.5


class Speller:
    """Corrects the words of queries that neither the catalogue nor a dictionary has, where that is likely.

    Candidates come from :meth:`TermIndex.similar`: for each word of a query, for neighbours that may be one
    word, and for all of it. What the catalogue has is never changed, nor is a word that is more likely a name
    nobody knows yet: see :class:`Odds`. A name that is added to the index is known at once.

    Args:
        index: the catalogue, built with ``similar=True``, or its path; scores are popularities.
        lm: a language model that weighs the candidates beside names of the catalogue: an
            :class:`pyfastlm.lm.LM`, or anything that :func:`pyfastlm.lm.load` takes.
        english: a dictionary with counts, built in the same way; words that only it has are known as well.
        costs: of edits.
        weights: of the cost, the popularity and the shared trigrams of a candidate.
        odds: by default those fitted to English; :func:`pyfastlm.spelling.train` fits others.
        threshold: a query is changed where the log-odds are above.
        exclude: words and queries that are never changed.
        decider: decides between the candidates in place of the threshold; by default :class:`Scoring` where
            there is an ``lm``.
        retriever: finds the names of the catalogue that a decider's language model reads; by default
            :class:`Fuzzy` over the index.
        threads: for batches.

    Raises:
        InputError: an index was not built with ``similar=True``, or an argument is out of its range.
    """

    def __init__(
        self,
        index: TermIndex | str | os.PathLike[str],
        lm: "LMLike | None" = None,
        english: TermIndex | str | os.PathLike[str] | None = None,
        *,
        costs: EditCosts = COSTS,
        weights: Weights = WEIGHTS,
        odds: Odds | None = None,
        threshold: float = THRESHOLD,
        exclude: Collection[str] = (),
        decider: Decider | None = None,
        retriever: Retriever | None = None,
        threads: int | None = None,
    ) -> None:
        if not math.isfinite(threshold):
            raise InputError(f"threshold: expected a finite number, got {threshold!r}")
        if isinstance(exclude, str):
            raise InputTypeError("exclude: expected several texts, got one string")
        self.index = _opened("index", index)
        self.english = None if english is None else _opened("english", english)
        self.threshold = threshold
        self._lexicon = Lexicon(self.index, self.english, costs, weights)
        self._odds = english_odds() if odds is None else odds
        self._exclude = {self._normal(text) for text in exclude}
        self._decider = _scoring(lm) if decider is None and lm is not None else decider
        self._retriever = Fuzzy(resembling(self.index)) if retriever is None else retriever
        self._threads = threads

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        """The best ``k`` texts that ``query`` may mean, best first; of two or more, the query itself is one.

        Where a name for all of the query is near, no words are looked at.

        Raises:
            InputError: the query is no Unicode text, or ``k`` no whole number above 0.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"k: expected a whole number >= 1, got {k!r}")
        found = self._weighed([query], k, 1, near=NEAR)[0]
        if k > 1 and all(one.text != query for one in found[:k]):
            return [*found[: k - 1], found[k]]
        return found[:k]

    def correct(self, query: str) -> Correction:
        """What ``query`` is taken to mean: itself, or the best candidate.

        Raises:
            InputError: it is no Unicode text.
        """
        return self.correct_all([query])[0]

    def correct_all(self, queries: Sequence[str]) -> list[Correction]:
        """The same for many queries, on several threads.

        Raises:
            InputError: see :meth:`correct`.
        """
        if isinstance(queries, str):
            raise InputTypeError("queries: expected several texts, got one string")
        queries = list(queries)
        weighed = self._weighed(queries, CANDIDATES, self._threads)
        if self._decider is not None:
            return self._decider.decide(queries, weighed, self._retriever.retrieve(queries, NAMES))
        return [self._decided(query, found) for query, found in zip(queries, weighed, strict=True)]

    def has_mistakes(self, query: str) -> bool:
        """Whether :meth:`correct` changes it."""
        return self.correct(query).changed

    def _decided(self, query: str, candidates: Sequence[Candidate]) -> Correction:
        others = [one for one in candidates if one.text != query]
        margin = others[0].score + self.threshold if others else -math.inf
        changed = margin > self.threshold
        return Correction(others[0].text if changed else query, changed, margin, tuple(candidates))

    def _weighed(
        self, queries: Sequence[str], width: int, threads: int | None, near: float = -math.inf
    ) -> list[list[Candidate]]:
        normal = [self._normal(_text(query)) for query in queries]
        wholes = [None if query in self._exclude else whole_of(query) for query in normal]
        options = self._lexicon.options([unit for unit in wholes if unit is not None], threads)
        of_wholes = [[] if unit is None else self._changes(unit, options) for unit in wholes]
        parts = [
            []
            if unit is None or options[unit.text, False].catalogued or _ends(of_whole, near)
            else parts_of(unit.text)
            for unit, of_whole in zip(wholes, of_wholes, strict=True)
        ]
        options |= self._lexicon.options([unit for found in parts for unit in found], threads)
        found = []
        for query, text, units, of_whole in zip(queries, normal, parts, of_wholes, strict=True):
            words = text.split(" ")
            changes = {(unit.first, unit.last): self._changes(unit, options) for unit in units}
            all_of_it = 0, len(words)  # of two words there is a pair as well
            changes[all_of_it] = [*of_whole, *changes.get(all_of_it, ())]
            found.append(
                [
                    Candidate(query, one.score, one.cost) if one.text == text else one
                    for one in assembled(words, changes, width)
                ]
            )
        return found

    def _changes(self, unit: Unit, of_units: dict[tuple[str, bool], Options]) -> list[Change]:
        options = of_units[unit.text, unit.joined]
        if not options.terms or options.catalogued or len(unit.text) < SHORTEST:
            return []
        known = options.known
        if unit.joined:  # two words that are known
            parts = [of_units.get((word, False)) for word in unit.text.split(" ")]
            known = all(part is None or part.known for part in parts)
        gain = self._odds(unit.text, options.terms) - self.threshold - KNOWN * known
        best = options.terms[0].fit
        kept = self._exclude.intersection(unit.text.split(" "))
        return [
            Change(one.term, gain + one.fit - best, one.cost)
            for one in options.terms
            if kept.issubset(one.term.split(" "))
        ]

    def _normal(self, text: str) -> str:
        return " ".join(self.index.normal(text).split())


def _scoring(lm: "LMLike") -> Decider:
    from pyfastlm.spelling.deciding.scoring import Scoring

    return Scoring(lm)


def _ends(of_whole: Sequence[Change], near: float) -> bool:
    """Whether the catalogue has a name for all of a query, so that its words need no look."""
    return bool(of_whole) and (of_whole[0].gain > SURE or of_whole[0].cost <= near)


def _opened(name: str, index: TermIndex | str | os.PathLike[str]) -> TermIndex:
    found = index if isinstance(index, TermIndex) else TermIndex.open(index)
    if not found.has_similar:
        raise InputError(f"{name}: expected an index built with similar=True")
    return found


def _text(query: str) -> str:
    if not isinstance(query, str):
        raise InputTypeError(f"query: expected a text, got {type(query).__name__}")
    try:
        query.encode()
    except UnicodeEncodeError:
        raise InputError("query: expected Unicode, got a lone surrogate in it") from None
    return query
