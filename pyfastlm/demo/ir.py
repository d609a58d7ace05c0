"""Rerankers from ten labels: a model writes what they learn from, and the labels choose its prompt."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from pyfastlm._markdown import Table
from pyfastlm.ir import Collection, Grammar, Prompt, QueryGenerator, RerankerOptions, SearchOptions
from pyfastlm.ir.measures import ndcg
from pyfastlm.ir.report import tables
from pyfastlm.ir.study import Study, run_study
from pyfastlm.ir.study.seconds import Seconds, Stopwatch
from pyfastlm.lm import LM
from pyfastlm.lm.files.inputs import StrPath
from pyfastlm.lm.sentence_encoder import MINILM

GOLD = 10  # queries that choose
MANUAL = Prompt("Write the word that this definition explains.", "Word:")
TOKENS = 24  # of a query
NEGATIVES = 3
LENGTH = 32  # tokens of a word and a definition


@dataclass(frozen=True, slots=True)
class Size:
    """Prompts beside the manual one, definitions that each writes for on the first rung, and test queries;
    rungs of the search, seeds of training, times that a reranker sees an example, and examples of a step."""

    prompts: int
    documents: int
    test: int
    rungs: int = 1
    seeds: int = 1
    epochs: int = 2
    batch: int = 2  # from few examples more is learnt in many short steps


QUICK = Size(prompts=2, documents=6, test=5, epochs=1)
SHORT = Size(prompts=3, documents=18, test=20)
FULL = Size(prompts=7, documents=64, test=60, rungs=2, seeds=3, epochs=3, batch=4)  # as pyfastlm ir study


@dataclass(frozen=True, slots=True, eq=False)
class Reranking:
    """The section.

    Attributes:
        size: how much of all.
        test: the words that report, and all definitions.
        study: every prompt, line and control, on the words that choose and on those that report.
        took: all of it.
    """

    size: Size
    test: Collection
    study: Study
    took: Seconds

    @property
    def queries(self) -> int:
        """That were written, by all prompts."""
        return len(self.study.prompts) * self.study.rungs[-1].documents

    @property
    def overview(self) -> Table:
        """Lines, controls and prompts."""
        return tables.overview(self.study)._replace(
            title=f"Definitions of {len(self.test.query)} nouns found"
        )

    @property
    def chance(self) -> float:
        """NDCG@10 of the test words, meaned over all orders of their definitions."""
        judged = self.test.qrel.values()
        return fmean(ndcg(of, dict.fromkeys(of, 0.0), ties="expected") for of in judged)

    @property
    def verdict(self) -> str:
        """What came out, in a few sentences."""
        study = self.study
        took = [part.processor for part in (study.writing, study.took("training"), self.took)]
        return " ".join(
            [
                *tables.verdicts(study),
                f"A random order would come to {100 * self.chance:.1f}.",
                f"{self.queries} queries were written in {took[0]:,.0f} s of the processor, "
                f"{study.trainings} rerankers trained in {took[1]:,.0f}; {took[2]:,.0f} with all else.",
            ]
        )


def rerank(
    lm: LM, task: Collection, *, size: Size, base: StrPath = MINILM, seed: int = 0, progress: bool = False
) -> Reranking:
    """Train rerankers with what each prompt writes, and measure all.

    Args:
        lm: the model that writes.
        task: nouns and definitions.
        size: how much of all.
        base: the encoder that rerankers begin from.
        seed: of what is drawn, and the first of training.
        progress: show bars on standard error.

    Raises:
        InputError: the model reads too few tokens, or there is no such encoder.
        MissingExtra: bm25s, sentence-transformers or the encoder is not installed. Nothing is written then.
    """
    watch = Stopwatch()
    with watch.running(), tempfile.TemporaryDirectory() as home:
        gold, others = task.split(GOLD, seed=seed)
        test = others.some(size.test, seed=seed)
        seeds = tuple(range(seed, seed + size.seeds))
        study = run_study(
            QueryGenerator(lm, MANUAL, cache=Path(home) / "written.sqlite", max_tokens=TOKENS),
            gold,
            test,
            prompts=Grammar().draw(size.prompts, seed=seed),
            directory=home,
            options=SearchOptions(size.documents, size.rungs, seeds=seeds, negatives=NEGATIVES),
            training=RerankerOptions(epochs=size.epochs, batch_size=size.batch, max_length=LENGTH),
            base=base,
            seed=seed,
            progress=progress,
        )
    return Reranking(size, test, study, watch.seconds)
