"""Rerankers and lines, each on the gold and on the test queries."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pyfastlm.ir.bm25 import BM25, bm25_run
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.cache import key
from pyfastlm.ir.generation.controls import NO_MODEL
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.meaning import encoder_run
from pyfastlm.ir.measures.evaluating import evaluate
from pyfastlm.ir.path.log import Log
from pyfastlm.ir.path.objective import Objective
from pyfastlm.ir.path.trials import Trial
from pyfastlm.ir.study.records import BM25_LINE, COSINES_LINE, Measured
from pyfastlm.ir.study.seconds import Seconds, Stopwatch, total
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.sentence_encoder import SentenceEncoder


class Bench:
    """Trains and measures; what was measured is kept, and not made again.

    Args:
        test: queries to report.
        depth: test candidates that are reranked; None for all.
        log: a file for what was measured; None keeps it in memory.
        trials: gets the gold scores, so that a search by them need not train again. Test scores never get
            there.
        progress: show bars on standard error.

    Raises:
        InputError: the log is something else.
    """

    def __init__(
        self, test: Collection, depth: int | None, log: StrPath | None, trials: Log[Trial], progress: bool
    ) -> None:
        self._test, self._depth, self._progress = test, depth, progress
        self._index = BM25(test.corpus) if depth is not None else None
        self._log: Log[Measured] = Log(log, measured_of, asdict)
        self._trials = trials

    def prompt(
        self, objective: Objective, prompt: Prompt, documents: int, seeds: Sequence[int], name: str
    ) -> tuple[Measured, ...]:
        """A reranker for each seed, trained with what a prompt wrote.

        Raises:
            InputError: there are too few documents.
        """
        return tuple(self._one(objective, prompt, documents, seed, name) for seed in seeds)

    def _one(self, objective: Objective, prompt: Prompt, documents: int, seed: int, name: str) -> Measured:
        own = objective.key(prompt, documents, seed)
        what = key("study/2", own, self._test.fingerprint, self._depth)
        found = self._log.get(what)
        if found is not None:
            return found
        generated, mined = objective.examples(prompt, documents, progress=self._progress)
        training, on_gold, on_test = Stopwatch(), Stopwatch(), Stopwatch()
        with training.running():
            trained = objective.fit(mined, seed, progress=self._progress)
        gold, test = np.zeros(len(objective.gold.query)), np.zeros(len(self._test.query))
        if trained is not None:
            with on_gold.running():
                gold = objective.on_gold(trained.reranker, progress=self._progress)
            with on_test.running():
                run = trained.reranker.run(
                    self._test, depth=self._depth, index=self._index, progress=self._progress
                )
                test = evaluate(self._test.qrel, run).of("ndcg_at_10")
        if prompt != NO_MODEL:
            seconds = training.seconds.wall + on_gold.seconds.wall
            self._trials.put(own, objective.record(prompt, documents, seed, gold, seconds))
        found = Measured(
            name,
            seed,
            tuple(gold.tolist()),
            tuple(test.tolist()),
            len(mined.examples),
            generated.kept,
            generated.copied,
            generated.overlap,
            training.seconds,
            total([on_gold.seconds, on_test.seconds]),
        )
        self._log.put(what, found)
        return found


def lines(
    gold: Collection, test: Collection, encoder: SentenceEncoder, depths: tuple[int | None, int | None]
) -> tuple[Measured, Measured]:
    """BM25 of all candidates, and the cosines of an encoder as it is, of those that rerankers get."""
    by_words = [bm25_run(task) for task in (gold, test)]
    by_meaning = [
        encoder_run(task, encoder, depth=depth) for task, depth in zip((gold, test), depths, strict=True)
    ]

    def line(name: str, runs: list[dict[str, dict[str, float]]]) -> Measured:
        on_gold, on_test = (
            tuple(evaluate(task.qrel, run).of("ndcg_at_10").tolist())
            for task, run in zip((gold, test), runs, strict=True)
        )
        return Measured(name, 0, on_gold, on_test)

    return line(BM25_LINE, by_words), line(COSINES_LINE, by_meaning)


def measured_of(fields: dict[str, Any]) -> Measured:
    """Out of its fields in JSON."""
    gold, test = (tuple(float(value) for value in fields.pop(name)) for name in ("gold", "test"))
    took = [Seconds(*map(float, fields.pop(name))) for name in ("training", "scoring")]
    return Measured(gold=gold, test=test, training=took[0], scoring=took[1], **fields)
