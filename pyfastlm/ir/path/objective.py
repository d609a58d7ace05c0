"""The score of a prompt: how well the reranker orders the gold queries that its queries have trained."""

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from pyfastlm.errors import InputError
from pyfastlm.ir.bm25 import BM25
from pyfastlm.ir.collection import Collection
from pyfastlm.ir.generation.cache import key
from pyfastlm.ir.generation.controls import NO_MODEL, first_sentences
from pyfastlm.ir.generation.generator import QueryGenerator
from pyfastlm.ir.generation.prompts import Prompt
from pyfastlm.ir.generation.results import Generated
from pyfastlm.ir.held_out import HeldOut
from pyfastlm.ir.measures.evaluating import evaluate
from pyfastlm.ir.negatives import Mined, mine_negatives
from pyfastlm.ir.path.trials import Trial
from pyfastlm.ir.training.options import RerankerOptions
from pyfastlm.ir.training.reranker import Reranker
from pyfastlm.ir.training.training import Trained, train_reranker
from pyfastlm.lm.files.inputs import StrPath

POLICY = "pyfastlm.ir trial/1"  # changes with everything that changes the score of a trial


class Objective:
    """Trains and scores; all prompts write for the same documents, in the same order.

    Args:
        generator: writes queries; its own prompt does not matter.
        gold: queries to score by.
        corpus: documents to write for and to take negatives from.
        held_out: what must not be trained on.
        training, base: of the rerankers.
        negatives: of each query.
        depth: gold candidates that are reranked; None for all.
        seed: of the sample of documents, of the writing and of the negatives.
    """

    def __init__(
        self,
        generator: QueryGenerator,
        gold: Collection,
        corpus: Mapping[str, str],
        *,
        held_out: HeldOut,
        training: RerankerOptions,
        base: StrPath,
        negatives: int,
        depth: int | None,
        seed: int,
    ) -> None:
        self.gold, self.held_out = gold, held_out
        self._generator, self._corpus = generator, corpus
        self._training, self._base = training, base
        self._negatives, self._depth, self._seed = negatives, depth, seed
        allowed = held_out.sources(corpus)
        names = [name for name, text in allowed.items() if text.strip()]
        order = np.random.default_rng(seed).permutation(len(names)).tolist()
        self.sample = {names[place]: allowed[names[place]] for place in order}
        held = [sorted(part) for part in (held_out.queries, held_out.documents, held_out.texts)]
        self._data = key(gold.fingerprint, sorted(corpus.items()), held)
        self._index = BM25(corpus)
        self._gold_index = BM25(gold.corpus) if depth is not None else None
        self._made: dict[tuple[Prompt, int], tuple[Generated, Mined]] = {}

    def training_with(self, training: RerankerOptions) -> "Objective":
        """The same with other options of the rerankers; what is written and mined is shared."""
        other = copy.copy(self)
        other._training = training
        return other

    def key(self, prompt: Prompt, documents: int, seed: int) -> str:
        """64 hexadecimal digits over everything that decides a trial."""
        asking = [self._generator.asking(prompt).identity, self._generator.copy_limit]
        settings = [asdict(self._training), str(self._base), self._negatives, self._depth, self._seed]
        return key(POLICY, asking, settings, self._data, documents, seed)

    def documents(self, count: int) -> dict[str, str]:
        """The first ``count`` of the sample.

        Raises:
            InputError: there are not so many.
        """
        if count > len(self.sample):
            raise InputError(
                f"documents: expected at most the {len(self.sample)} that are not held out, got {count}"
            )
        return dict(list(self.sample.items())[:count])

    def examples(self, prompt: Prompt, documents: int, *, progress: bool = False) -> tuple[Generated, Mined]:
        """What a prompt's queries give to train on; made once for all seeds. The prompt
        :data:`pyfastlm.ir.generation.controls.NO_MODEL` stands for first sentences, which no model writes.

        Raises:
            InputError: there are not so many documents.
        """
        asked = (prompt, documents)
        if asked not in self._made:
            source = self.documents(documents)
            if prompt == NO_MODEL:
                generated = first_sentences(source)
            else:
                writer = self._generator.asking(prompt)
                generated = writer.generate(source, seed=self._seed, progress=progress)
            self._made[asked] = generated, self._mine(generated, progress)
        return self._made[asked]

    def _mine(self, generated: Generated, progress: bool) -> Mined:
        return mine_negatives(
            generated.queries,
            self._corpus,
            k=self._negatives,
            index=self._index,
            held_out=self.held_out,
            seed=self._seed,
            progress=progress,
        )

    def fit(self, mined: Mined, seed: int, *, progress: bool = False) -> Trained | None:
        """Train; None where there is no example."""
        if not mined.examples:
            return None
        return train_reranker(
            mined.examples,
            base=self._base,
            options=self._training,
            held_out=self.held_out,
            seed=seed,
            progress=progress,
        )

    def on_gold(self, reranker: Reranker, *, progress: bool = False) -> NDArray[np.float64]:
        """NDCG@10 [gold queries] of a reranker."""
        run = reranker.run(self.gold, depth=self._depth, index=self._gold_index, progress=progress)
        return evaluate(self.gold.qrel, run).of("ndcg_at_10")

    def trial(
        self, prompt: Prompt, documents: int, seed: int, *, progress: bool = False
    ) -> tuple[Trial, Trained | None]:
        """Train with a prompt's queries and score on gold; no reranker and 0 where it gave no example."""
        _, mined = self.examples(prompt, documents, progress=progress)
        started = time.perf_counter()
        trained = self.fit(mined, seed, progress=progress)
        per_query = np.zeros(len(self.gold.query))
        if trained is not None:
            per_query = self.on_gold(trained.reranker, progress=progress)
        return self.record(prompt, documents, seed, per_query, time.perf_counter() - started), trained

    def record(
        self, prompt: Prompt, documents: int, seed: int, per_query: NDArray[np.float64], seconds: float
    ) -> Trial:
        """A training that was scored, with what is known of its queries."""
        generated, mined = self.examples(prompt, documents)
        return Trial(
            prompt=prompt,
            documents=documents,
            seed=seed,
            per_query=tuple(per_query.tolist()),
            examples=len(mined.examples),
            kept=generated.kept,
            copied=generated.copied,
            overlap=generated.overlap,
            seconds=seconds,
        )
