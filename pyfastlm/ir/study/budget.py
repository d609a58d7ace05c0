"""What a study is about to do, and about how long that takes."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.controls import NO_MODEL
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.training.options import RerankerOptions

CONTROLS = 2  # first sentences, and random weights
TRIED = 16  # documents that are written for and trained on to see how long that takes
SCORED = 64  # pairs that are scored to see it


class Pace(NamedTuple):
    """Seconds on the wall of a query that is written (0 where the cache had all that were tried), of an
    example that is trained on once, and of a pair that is scored."""

    query: float
    example: float
    pair: float


@dataclass(frozen=True)
class Budget:
    """What a study does at most; what it finds done is not done again.

    Attributes:
        queries: that a model writes.
        trainings: of rerankers.
        examples: that are trained on, over all trainings and epochs.
        pairs: of a query and a document that are scored.
        pace: how long one of each took, when it was tried.
    """

    queries: int
    trainings: int
    examples: int
    pairs: int
    pace: Pace

    @property
    def minutes(self) -> float:
        """On the wall, if it goes on like that."""
        counts = (self.queries, self.examples, self.pairs)
        return sum(count * one for count, one in zip(counts, self.pace, strict=True)) / 60


def budget(
    objective: Objective,
    test: Collection,
    prompts: Sequence[Prompt],
    search: SearchOptions,
    training: RerankerOptions,
    depth: int | None,
) -> Budget:
    """Count, and try each kind of work on a few; what is written then is kept by a cache.

    Raises:
        InputError: there are too few documents.
    """
    seeds, last = len(search.seeds), search.documents_of(search.rungs - 1)
    left, low = len(prompts), []  # documents of the trainings that only the search needs
    for rung in range(search.rungs - 1):
        low += [search.documents_of(rung)] * left * seeds
        left = math.ceil(search.keep * left)
    full = [last] * (len(prompts) + CONTROLS) * seeds
    return Budget(
        queries=len(prompts) * last,
        trainings=len(low + full),
        examples=sum(low + full) * training.epochs,
        pairs=len(low + full) * _pairs(objective.gold, search.depth) + len(full) * _pairs(test, depth),
        pace=_tried(objective, prompts[0], training),
    )


def _pairs(task: Collection, depth: int | None) -> int:
    counts = [len(task.candidates(query)) for query in task.query]
    return sum(counts if depth is None else (min(count, depth) for count in counts))


def _tried(objective: Objective, prompt: Prompt, training: RerankerOptions) -> Pace:
    count = min(TRIED, len(objective.sample) - 1)
    objective.examples(prompt, 1)  # loads the model
    started = time.perf_counter()
    generated, _ = objective.examples(prompt, 1 + count)
    writing = time.perf_counter() - started
    _, mined = objective.examples(NO_MODEL, 1 + count)
    trained = objective.fit(mined, 0)
    if trained is None:
        return Pace(writing / max(1, generated.asked), 0.0, 0.0)
    gold = objective.gold
    every = [(gold.query[q], gold.corpus[d]) for q in gold.query for d in gold.candidates(q)[:SCORED]]
    some = every[:SCORED]
    started = time.perf_counter()
    trained.reranker.scores(some)
    scoring = time.perf_counter() - started
    seen = len(mined.examples) * training.epochs
    return Pace(writing / max(1, generated.asked), trained.seconds / seen, scoring / len(some))
