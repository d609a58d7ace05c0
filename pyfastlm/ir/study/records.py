"""What a study has measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyfastlm.ir.generation.controls import NO_MODEL
from pyfastlm.ir.measures.bootstrap import Difference, Interval, interval, paired
from pyfastlm.ir.path.options import SearchOptions
from pyfastlm.ir.study.correlation import Correlation, spearman
from pyfastlm.ir.study.seconds import Seconds, total
from pyfastlm.ir.training.options import RerankerOptions

BM25_LINE, COSINES_LINE = "BM25", "zero-shot cosines of the encoder"
FIRST_SENTENCE = NO_MODEL.instruction
RANDOM_START = "(random weights, the best prompt's queries)"
NOTHING = Seconds()


@dataclass(frozen=True)
class Measured:
    """A reranker, or a line without training, on the gold and on the test queries.

    Attributes:
        name: instruction and cue of its prompt, or what else it is.
        seed: of the training.
        gold, test: NDCG@10 by query.
        examples: that were trained on.
        kept, copied, overlap: as of :class:`pyfastlm.ir.path.Trial`.
        training, scoring: what it took, on both sets together.
    """

    name: str
    seed: int
    gold: tuple[float, ...]
    test: tuple[float, ...]
    examples: int = 0
    kept: float = 0.0
    copied: float = 0.0
    overlap: float = 0.0
    training: Seconds = NOTHING
    scoring: Seconds = NOTHING


class Written(NamedTuple):
    """What a prompt has made of a document: its text, the query, and why that was left out, if it was."""

    document: str
    query: str
    reason: str


@dataclass(frozen=True)
class RungScores:
    """A rung of the search: documents for each prompt, and prompts by gold, best first, with mean and
    standard deviation over seeds (NaN for one seed)."""

    documents: int
    prompts: tuple[str, ...]
    scores: tuple[float, ...]
    spreads: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Study:
    """Every prompt on gold and on test, beside controls.

    Attributes:
        task: its name.
        manual: name of the manual prompt.
        best: of the prompt that the search chose by the gold queries.
        prompts: names of all; the manual one, then the others as they were drawn, so the second is a random
            prompt of the grammar.
        measured: by name, for each seed: the prompts, and the lines and controls of this module.
        rungs: of the search.
        search, training: options.
        depth: test candidates that were reranked, the best by BM25; None for all.
        writing: what the queries took, of all prompts.
        searching: seconds on the wall of the trainings of the search that the study does not need anyway.
        written: what each prompt has made of the first few documents, by its name; studies of before lack it.
    """

    task: str
    manual: str
    best: str
    prompts: tuple[str, ...]
    measured: Mapping[str, tuple[Measured, ...]]
    rungs: tuple[RungScores, ...]
    search: SearchOptions
    training: RerankerOptions
    depth: int | None
    writing: Seconds
    searching: float
    written: Mapping[str, tuple[Written, ...]] = field(default_factory=dict)

    def gold(self, name: str) -> NDArray[np.float64]:
        """[gold queries], means over seeds."""
        return _means([each.gold for each in self.measured[name]])

    def test(self, name: str) -> NDArray[np.float64]:
        """[test queries], means over seeds."""
        return _means([each.test for each in self.measured[name]])

    def interval(self, name: str) -> Interval:
        """Of the test mean, over queries."""
        return interval(self.test(name))

    def difference(self, name: str, other: str) -> Difference:
        """How much better one is than the other on test, paired by query."""
        return paired(self.test(name), self.test(other))

    def by_seed(self, name: str) -> NDArray[np.float64]:
        """[seeds, 2], gold and test means of each training."""
        return np.array([[np.mean(each.gold), np.mean(each.test)] for each in self.measured[name]])

    @property
    def trainings(self) -> int:
        """Rerankers that were trained, but for those that only the search needs."""
        return sum(row.examples > 0 for rows in self.measured.values() for row in rows)

    def took(self, part: Literal["training", "scoring"]) -> Seconds:
        """What a part of all trainings took, but for those that only the search needs."""
        return total(getattr(row, part) for rows in self.measured.values() for row in rows)

    @property
    def order(self) -> tuple[str, ...]:
        """Prompts, best first by their gold mean; test values have no part in it."""
        return tuple(sorted(self.prompts, key=lambda name: -float(self.gold(name).mean())))

    @property
    def worst(self) -> str:
        """The last of :attr:`order`."""
        return self.order[-1]

    @cached_property
    def correlation(self) -> Correlation:
        """Of the gold and the test means over the prompts.

        Raises:
            InputError: there are fewer than three.
        """
        means = [[float(of(name).mean()) for name in self.prompts] for of in (self.gold, self.test)]
        return spearman(*means)


def _means(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.mean(np.array(rows, np.float64), axis=0)
    return means
