"""Whether the gold score of a prompt says anything of its test score: all prompts, measured on both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.bm25 import BM25, bm25_run
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.cache import key
from pyfastlm.ir.generation.controls import NO_MODEL, first_sentences
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.measures.bootstrap import Interval, interval
from pyfastlm.ir.measures.evaluating import evaluate
from pyfastlm.ir.path.log import Log
from pyfastlm.ir.path.objective import Objective
from pyfastlm.lm.files.inputs import StrPath

PERMUTATIONS = 10_000
LINE = "BM25"


@dataclass(frozen=True)
class Measured:
    """One reranker, or BM25, on the gold and on the test queries.

    Attributes:
        name: instruction and cue of its prompt, or what else it is.
        seed: of the training.
        gold, test: NDCG@10 by query.
        examples: that were trained on.
        kept, copied, overlap: as of :class:`pyfastlm.ir.path.Trial`.
    """

    name: str
    seed: int
    gold: tuple[float, ...]
    test: tuple[float, ...]
    examples: int
    kept: float
    copied: float
    overlap: float


@dataclass(frozen=True, eq=False)
class Study:
    """All that was measured.

    Attributes:
        prompts: names of the prompts, in the order given.
        measured: by name, for each seed; the prompts, and also ``"BM25"`` and the queries without a model.
    """

    prompts: tuple[str, ...]
    measured: Mapping[str, tuple[Measured, ...]]

    def gold(self, name: str) -> NDArray[np.float64]:
        """[gold queries], means over seeds."""
        return _means([each.gold for each in self.measured[name]])

    def test(self, name: str) -> NDArray[np.float64]:
        """[test queries], means over seeds."""
        return _means([each.test for each in self.measured[name]])

    def interval(self, name: str) -> Interval:
        """Of the test mean, over queries."""
        return interval(self.test(name))

    @property
    def order(self) -> tuple[str, ...]:
        """Prompts, best first by their gold mean; test values have no part in it."""
        return tuple(sorted(self.prompts, key=lambda name: -float(self.gold(name).mean())))

    @property
    def correlation(self) -> "Correlation":
        """Of the gold and the test means over the prompts.

        Raises:
            InputError: there are fewer than three.
        """
        means = [[float(of(name).mean()) for name in self.prompts] for of in (self.gold, self.test)]
        return spearman(*means)


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho, and the share of orders by chance with one as far from 0 (two-sided)."""

    rho: float
    p: float


def study(
    objective: Objective,
    test: Collection,
    prompts: Sequence[Prompt],
    *,
    documents: int,
    seeds: Sequence[int] = (0, 1),
    depth: int | None = None,
    log: StrPath | None = None,
    progress: bool = False,
) -> Study:
    """Train with every prompt, and measure each reranker on gold and on test.

    Made after a search, never for it: what it finds of the test queries must choose nothing.

    Args:
        objective: of the search, with the same sample of documents.
        test: queries to report.
        prompts: to be compared, different ones.
        documents: that each writes for.
        seeds: of the trainings.
        depth: test candidates that are reranked; None for all.
        log: a file for what was measured, so that a killed study goes on.
        progress: show bars on standard error.

    Raises:
        InputError: there is no prompt, or there are too few documents, or the log is something else.
    """
    if not prompts:
        raise InputError("prompts: expected at least one, got none")
    index = BM25(test.corpus)
    kept: Log[Measured] = Log(log, _measured, asdict)
    gold, tested = (
        tuple(evaluate(task.qrel, bm25_run(task)).of("ndcg_at_10").tolist())
        for task in (objective.gold, test)
    )
    line = Measured(LINE, 0, gold, tested, 0, 0.0, 0.0, 0.0)
    found: dict[str, tuple[Measured, ...]] = {LINE: (line,)}
    for prompt in (NO_MODEL, *prompts):
        rows = []
        for seed in seeds:
            what = key("study", objective.key(prompt, documents, seed), test.fingerprint, depth)
            row = kept.get(what)
            if row is None:
                row = _measure(objective, test, prompt, documents, seed, depth, index, progress)
                kept.put(what, row)
            rows.append(row)
        found[_name(prompt)] = tuple(rows)
    return Study(tuple(_name(prompt) for prompt in prompts), found)


def spearman(a: Sequence[float], b: Sequence[float]) -> Correlation:
    """Rank correlation; of equal values each has the mean of their ranks. NaN where all are equal.

    Raises:
        InputError: there are fewer than three values, or not as many of both.
    """
    if len(a) != len(b) or len(a) < 3:
        raise InputError(f"a, b: expected as many values of both, three at least, got {len(a)} and {len(b)}")
    first, second = _ranks(a), _ranks(b)
    scale = float(np.sqrt((first @ first) * (second @ second)))
    if scale == 0:
        return Correlation(float("nan"), 1.0)
    rho = float(first @ second) / scale
    rng = np.random.default_rng(0)
    others = np.array([first @ rng.permutation(second) for _ in range(PERMUTATIONS)]) / scale
    far = int((np.abs(others) >= abs(rho) - 1e-12).sum())
    return Correlation(rho, (far + 1) / (PERMUTATIONS + 1))


def _measure(
    objective: Objective,
    test: Collection,
    prompt: Prompt,
    documents: int,
    seed: int,
    depth: int | None,
    index: BM25,
    progress: bool,
) -> Measured:
    if prompt == NO_MODEL:
        generated = first_sentences(objective.documents(documents))
        mined = objective.mine(generated, progress=progress)
    else:
        generated, mined = objective.examples(prompt, documents, progress=progress)
    trained = objective.fit(mined, seed, progress=progress)
    gold, tested = np.zeros(len(objective.gold.query)), np.zeros(len(test.query))
    if trained is not None:
        gold = objective.on_gold(trained.reranker, progress=progress)
        run = trained.reranker.run(test, depth=depth, index=index, progress=progress)
        tested = evaluate(test.qrel, run).of("ndcg_at_10")
    return Measured(
        _name(prompt),
        seed,
        tuple(gold.tolist()),
        tuple(tested.tolist()),
        len(mined.examples),
        generated.kept,
        generated.copied,
        generated.overlap,
    )


def _name(prompt: Prompt) -> str:
    return prompt.instruction if prompt == NO_MODEL else f"{prompt.instruction} {prompt.cue}"


def _measured(fields: dict[str, Any]) -> Measured:
    gold, test = (tuple(float(value) for value in fields.pop(name)) for name in ("gold", "test"))
    return Measured(gold=gold, test=test, **fields)


def _means(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.mean(np.array(rows, np.float64), axis=0)
    return means


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Less their mean."""
    given = np.asarray(values, np.float64)
    below = (given[None] < given[:, None]).sum(1)
    equal = (given[None] == given[:, None]).sum(1)
    ranks: NDArray[np.float64] = below + (equal - 1) / 2
    ranks -= ranks.mean()
    return ranks
