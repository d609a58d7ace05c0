"""What each unit of a query may have meant, from the catalogue and from a dictionary."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyfastlm.index import EditCosts, Similar, TermIndex, Weights
from pyfastlm.spelling.candidates.units import Unit

ASKED = 12  # similar terms for each text
KEPT = 10  # options of a unit
FIGURE = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Options:
    """Of one text: ``terms``, best fit first, without the text itself; whether that is ``known``.

    ``catalogued``: the catalogue has it, as a name or a word of one.
    """

    terms: tuple[Similar, ...]
    known: bool
    catalogued: bool


def _figures(text: str) -> list[str]:
    """Another number is another thing, so an option must have the same."""
    return FIGURE.findall(text)


class Lexicon:
    """The catalogue, and a dictionary of the language beside it."""

    def __init__(
        self, catalogue: TermIndex, english: TermIndex | None, costs: EditCosts, weights: Weights
    ) -> None:
        self.catalogue = catalogue
        self.english = english
        self.costs = costs
        self.weights = weights

    def options(self, units: Iterable[Unit], threads: int | None) -> dict[tuple[str, bool], Options]:
        """Of each (text, joined) of the units."""
        keys = sorted({(unit.text, unit.joined) for unit in units})
        found = self._similar(self.catalogue, [text for text, _ in keys], threads)
        if self.english is not None:
            words = self._similar(self.english, [text for text, _ in keys], threads)
        else:
            words = [[] for _ in keys]
        catalogued = self._catalogued([text for text, _ in keys], found)
        return {
            key: self._merged(*key, key[0] in catalogued, of_catalogue, of_english)
            for key, of_catalogue, of_english in zip(keys, found, words, strict=True)
        }

    def _similar(self, index: TermIndex, texts: Sequence[str], threads: int | None) -> list[list[Similar]]:
        return index.similar_batch(
            texts, ASKED, costs=self.costs, weights=self.weights, words=True, threads=threads
        )

    def _catalogued(self, texts: Sequence[str], found: Sequence[Sequence[Similar]]) -> set[str]:
        """Those that are names of the catalogue, or words of names."""
        known = {
            text
            for text, similar in zip(texts, found, strict=True)
            if text in self.catalogue or any(one.term == text for one in similar)
        }
        # Where many names that are asked for more resemble a word, it is not among those similar to it.
        crowded = [text for text in texts if text not in known and " " not in text]
        with_it = self.catalogue.complete_batch([f"{text} " for text in crowded], 1, mode="conjunctive")
        return known.union(text for text, names in zip(crowded, with_it.strings(), strict=True) if names)

    def _merged(
        self,
        text: str,
        joined: bool,
        catalogued: bool,
        of_catalogue: Sequence[Similar],
        of_english: Sequence[Similar],
    ) -> Options:
        known = catalogued or (self.english is not None and text in self.english)
        best: dict[str, Similar] = {}
        figures = _figures(text)
        for one in (*of_catalogue, *of_english):
            if one.term == text or (joined and " " in one.term) or _figures(one.term) != figures:
                continue
            if one.term not in best or one.fit > best[one.term].fit:
                best[one.term] = one
        terms = list(best.values())
        if of_english:
            terms.sort(key=lambda one: (-one.fit, one.term))
        terms = terms[:KEPT]
        return Options(tuple(terms), known, catalogued)
