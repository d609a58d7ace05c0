"""A corrector that answers what it was told to."""

import math
from collections.abc import Mapping, Sequence

from pyfastlm.spelling import Candidate, Correction


class Scripted:
    """``answers``: of a query, what else it may mean with its score, best first; the query itself has 0.

    A query is changed where the first score is above ``threshold``.
    """

    def __init__(self, answers: Mapping[str, Sequence[tuple[str, float]]], threshold: float = 0.0) -> None:
        self._answers, self._threshold = answers, threshold
        self.asked: list[str] = []

    def correct(self, query: str) -> Correction:
        self.asked.append(query)
        others = [Candidate(text, score, 1.0) for text, score in self._answers.get(query, ())]
        best = others[0] if others else Candidate(query, -math.inf, 0.0)
        changed = best.score > self._threshold
        found = sorted([*others, Candidate(query, 0.0, 0.0)], key=lambda item: -item.score)
        return Correction(best.text if changed else query, changed, best.score, tuple(found))

    def suggest(self, query: str, k: int = 10) -> list[Candidate]:
        return list(self.correct(query).candidates[:k])


class Batched(Scripted):
    """The same, also in batches; ``batches`` says how long they were."""

    def __init__(self, answers: Mapping[str, Sequence[tuple[str, float]]], threshold: float = 0.0) -> None:
        super().__init__(answers, threshold)
        self.batches: list[int] = []

    def correct_all(self, queries: Sequence[str]) -> list[Correction]:
        self.batches.append(len(queries))
        return [super(Batched, self).correct(query) for query in queries]
